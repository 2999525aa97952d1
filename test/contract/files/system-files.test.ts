import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemFileCalls, systemFileCallsSync } from '../../../node/src/system/file-calls.ts';
import { fileCallsContract } from './suite.ts';

fileCallsContract("the machine's own", async (use) => {
  const root = mkdtempSync(join(tmpdir(), 'cuadro-files-'));
  try {
    await use({ files: systemFileCalls, sync: systemFileCallsSync, root });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
