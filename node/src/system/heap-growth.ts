import { setFlagsFromString } from 'node:v8';

/** How much a heap grows from one collection of everything to the next, in percent of what that left. */
const GROWTH_PERCENT = 40;

/**
 * How far V8 lets the heap grow before it collects everything. By itself it waits for four times what it left last, and
 * whatever lived for a tenth of a second is collected then alone: 100 MB after 50,000 files had come. This is for while
 * many come: a collection every ten seconds then takes a thousandth of them. While large ones come it would cost, since
 * their buffers are then counted with the heap (buffer-accounting.ts). The switch is one of V8 13; others are left
 * as they are.
 */
export function growHeapLittle(isOn: boolean): void {
  if (process.versions.v8.startsWith('13.'))
    setFlagsFromString(`--heap-growing-percent=${isOn ? GROWTH_PERCENT : 0}`);
}
