/**
 * Loaded before each test file. To tell whose error it is that nobody caught, node:test follows every promise by an async
 * hook, which took up to half of the processor time of files that make many. What async context tells is the same and
 * costs next to nothing: this hands node:test a hook that leaves promises out, and puts each test's number into the
 * context that its function runs in.
 */
import asyncHooks, { type AsyncResource, type HookCallbacks } from 'node:async_hooks';
import { isMainThread } from 'node:worker_threads';

/** How node:test names its tests, suites and hooks where it makes resources of them. */
const TEST = 'Test';

const { AsyncLocalStorage, createHook, executionAsyncId } = asyncHooks;
const running = new AsyncLocalStorage<number>();

/** From here on, what its function does and begins is known as its own. */
function mark(test: AsyncResource, id: number): void {
  const run = test.runInAsyncScope.bind(test);
  test.runInAsyncScope = (fn, self, ...args) =>
    run(() => running.run(id, () => Reflect.apply(fn, self, args) as ReturnType<typeof fn>));
}

function createLightHook(callbacks: HookCallbacks): ReturnType<typeof createHook> {
  return createHook({
    ...callbacks,
    // Whatever is no promise is followed still: where an error of a timer is told, its context has been left already.
    init: (id, type, trigger, resource) => {
      if (type === TEST) mark(resource as AsyncResource, id);
      callbacks.init?.(id, type, running.getStore() ?? trigger, resource);
    },
    trackPromises: false,
  });
}

// Threads run no tests.
if (isMainThread) {
  asyncHooks.createHook = createLightHook;
  asyncHooks.executionAsyncId = () => running.getStore() ?? executionAsyncId();
  // It takes both for itself when it is loaded; everybody else finds what has always been there.
  process.getBuiltinModule('node:test');
  Object.assign(asyncHooks, { createHook, executionAsyncId });
}
