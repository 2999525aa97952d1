import { posix } from 'node:path';
import {
  type Finding,
  isSyntaxNode,
  lineAt,
  type SourceFile,
  type SyntaxNode,
  walkSyntax,
} from './sources.ts';

/**
 * Who may import whom (DESIGN.md section 2). A room always may import itself. `room/interface` means only that
 * room's interface.ts.
 */
const ARROWS: Record<string, readonly string[]> = {
  protocol: [],
  core: ['protocol'],
  driver: ['protocol', 'core', '*/interface'],
  system: ['protocol'],
  mesh: ['protocol', 'system'],
  store: ['protocol', 'system'],
  blobs: ['protocol', 'system', 'mesh/interface'],
  render: ['protocol', 'system'],
  worker: ['protocol', 'system', 'render', 'blobs'],
  farm: ['protocol', 'system', 'core/interface', 'store/interface', 'mesh/interface', 'api/interface'],
  replicas: ['protocol', 'system', 'blobs', 'core/interface', 'store/interface', 'mesh/interface'],
  swarm: ['protocol', 'system', 'blobs', 'core/interface', 'mesh/interface'],
  jobs: ['protocol', 'system', 'render', 'blobs', 'core/interface', 'store/interface', 'api/interface'],
  diary: ['protocol', 'system', 'core/interface', 'store/interface'],
  api: ['protocol', 'system', 'core/interface'],
  cli: ['protocol', 'system'],
  daemon: ['*'],
  ui: ['protocol'],
  scripts: ['*'],
  test: ['*'],
};

/** The commands that start the node, or look at what it left, are the parts of the command line that may know the daemon. */
const MAY_IMPORT_DAEMON = /^node\/src\/cli\/(.*\/)?(up|doctor)\.ts$/;

/** Packages of which only one room may know, so that they can be replaced there. */
const PACKAGE_OWNERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(libp2p|@libp2p\/.*|@chainsafe\/libp2p-.*|@multiformats\/multiaddr|multicast-dns)$/, ['mesh']],
  [/^(level|classic-level|abstract-level)$/, ['store']],
  [/^(fastify|@fastify\/.*|fastify-type-provider-zod)$/, ['api']],
  [/^(sharp|execa)$/, ['render']],
  [/^(commander|@clack\/.*|cli-table3)$/, ['cli']],
  [/^(lit|@lit\/.*|@lit-labs\/.*|@awesome\.me\/.*|uplot)$/, ['ui']],
];

/** All that the two pure rooms may know beside our own code. */
const PURE_ROOMS: Record<string, RegExp> = {
  protocol: /^(zod|@ipld\/dag-cbor)$/,
  core: /^$/,
};

/**
 * Those who judge simulated farms share no code with what they judge: of the node they know types alone, of the language
 * how records become bytes and what they are stored under, and what they read of disks is theirs too.
 */
const JUDGES = /^test\/sim\/(checkers\/|on-disk\.ts$)/;
const JUDGES_SHARE: ReadonlySet<string> = new Set(['decode', 'encode', 'recordKey']);

/** The tests and scripts reach everywhere; only the rooms' own packages are theirs. */
const UNBOUND = new Set(['scripts', 'test']);

/** The room that a file belongs to, or undefined for a file that stands in none. */
export function roomOf(path: string): string | undefined {
  if (path === 'node/src/driver.ts') return 'driver';
  if (path === 'node/src/daemon.ts') return 'daemon';
  const room = /^node\/src\/([^/]+)\//.exec(path)?.[1] ?? /^(protocol|ui)\/src\//.exec(path)?.[1];
  if (room !== undefined) return room in ARROWS ? room : undefined;
  if (path.startsWith('node/bin/')) return 'cli';
  return /^(scripts|test)\//.exec(path)?.[1];
}

/** Objects to every import that DESIGN.md section 2 does not allow. */
export function checkArrows(sources: SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    const room = roomOf(source.path);
    if (room === undefined) {
      if (/^(node|ui|protocol)\/src\//.test(source.path)) {
        findings.push({
          file: source.path,
          line: 1,
          sentence: 'This file stands in no room of DESIGN.md section 2.',
        });
      }
      continue;
    }
    const isJudge = JUDGES.test(source.path);
    for (const found of importsOf(source)) {
      const { specifier, position } = found;
      const sentence =
        objection(source.path, room, specifier) ?? (isJudge ? judgeObjection(source.path, found) : undefined);
      if (sentence !== undefined)
        findings.push({ file: source.path, line: lineAt(source.text, position), sentence });
    }
  }
  return findings;
}

interface Import {
  specifier: string;
  position: number;
  /** Only types come of it: nothing is loaded when the file runs. */
  isType: boolean;
  /** The names that are loaded; undefined where that may be all of them. */
  values: readonly string[] | undefined;
}

/** Every module that a file names: static, re-exported, dynamic, and in types. */
export function importsOf(source: SourceFile): Import[] {
  const found: Import[] = [];
  walkSyntax(source, (node) => {
    if (!/^(Import|ExportNamed|ExportAll)(Declaration|Expression)$|^TSImportType$/.test(node.type)) return;
    const literal = node['source'] ?? node['argument'];
    const value = isSyntaxNode(literal) ? literal['value'] : undefined;
    if (typeof value !== 'string') return;
    const kind = node['importKind'] ?? node['exportKind'];
    const isType = kind === 'type' || node.type === 'TSImportType';
    found.push({ specifier: value, position: node.start, isType, values: isType ? [] : valuesOf(node) });
  });
  return found;
}

/** The names that an import or an export from elsewhere takes as values, as they stand there. */
function valuesOf(node: SyntaxNode): string[] | undefined {
  const specifiers: unknown = node['specifiers'];
  if (!Array.isArray(specifiers) || specifiers.length === 0) return undefined;
  const names: string[] = [];
  for (const specifier of specifiers as SyntaxNode[]) {
    if ((specifier['importKind'] ?? specifier['exportKind']) === 'type') continue;
    const name = specifier['imported'] ?? specifier['local'];
    const isNamed = /^(Import|Export)Specifier$/.test(specifier.type) && isSyntaxNode(name);
    if (!isNamed || typeof name['name'] !== 'string') return undefined;
    names.push(name['name']);
  }
  return names;
}

function judgeObjection(path: string, { specifier, isType, values }: Import): string | undefined {
  const target = targetOf(path, specifier);
  if (isType || target === undefined || JUDGES.test(target)) return undefined;
  const isLanguage = roomOf(target) === 'protocol';
  if (isLanguage && values?.every((name) => JUDGES_SHARE.has(name)) === true) return undefined;
  return `A checker of simulated farms may import of ${specifier} ${isLanguage ? `no more than ${[...JUDGES_SHARE].join(', ')} and types` : 'types only'}: it shares no code with what it judges.`;
}

function objection(path: string, room: string, specifier: string): string | undefined {
  const target = targetOf(path, specifier);
  if (target === undefined) return packageObjection(room, specifier);
  const other = roomOf(target);
  if (other === undefined || other === room) return undefined;
  if (other === 'daemon' && MAY_IMPORT_DAEMON.test(path)) return undefined;
  const isInterface = /(^|\/)interface\.ts$/.test(target);
  const allowed = (ARROWS[room] ?? []).some(
    (arrow) =>
      arrow === '*' ||
      arrow === other ||
      (isInterface && (arrow === `${other}/interface` || arrow === '*/interface')),
  );
  return allowed
    ? undefined
    : `${room} may not import ${other} (${specifier}); DESIGN.md section 2 draws who may.`;
}

/** The path of our own file that a specifier names, or undefined for a package. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier);
  const workspace = /^@cuadro\/(protocol|node|ui)(?:\/(.*))?$/.exec(specifier);
  return workspace === null ? undefined : `${workspace[1]}/src/${workspace[2] ?? 'index'}.ts`;
}

function packageObjection(room: string, specifier: string): string | undefined {
  const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[1] ?? specifier;
  const pure = PURE_ROOMS[room];
  if (pure !== undefined && !pure.test(name)) return `${room} is pure and may not import ${specifier}.`;
  if (room === 'ui' && specifier.startsWith('node:'))
    return `ui runs in a browser and may not import ${specifier}.`;
  if (UNBOUND.has(room)) return undefined;
  const owners = PACKAGE_OWNERS.find(([pattern]) => pattern.test(name))?.[1];
  if (owners === undefined || owners.includes(room)) return undefined;
  return `${room} may not import ${specifier}: only ${owners.join(' and ')} may know that package.`;
}
