/** The failures of the system room; callers branch on `code`. */

export class DataFolderInUseError extends Error {
  override readonly name = 'DataFolderInUseError';
  readonly code = 'data-folder-in-use';
  readonly folder: string;
  /** Process id of the node that holds the folder, where it could be read. */
  readonly pid: number | undefined;

  constructor(folder: string, pid: number | undefined, options?: ErrorOptions) {
    const holder = pid === undefined ? 'Another node' : `Another node (process ${pid})`;
    super(`${holder} is running on the data folder ${folder}.`, options);
    this.folder = folder;
    this.pid = pid;
  }
}

export class DataFolderUnwritableError extends Error {
  override readonly name = 'DataFolderUnwritableError';
  readonly code = 'data-folder-unwritable';
  readonly folder: string;
  /** Why, in a few words for people. */
  readonly reason: string;

  constructor(folder: string, reason: string, options?: ErrorOptions) {
    super(`The data folder ${folder} cannot be written to: ${reason}.`, options);
    this.folder = folder;
    this.reason = reason;
  }
}

/** A component did not start; those before it have been stopped again. `cause` is its error. */
export class StartFailedError extends Error {
  override readonly name = 'StartFailedError';
  readonly code = 'start-failed';
  readonly component: string;

  constructor(component: string, options: { cause: unknown }) {
    const reason = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(`${component} could not start: ${reason}`, options);
    this.component = component;
  }
}
