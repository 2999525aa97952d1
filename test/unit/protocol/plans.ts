import fc from 'fast-check';
import { normaliseFrames, type FrameRange, type Plan } from '@cuadro/protocol';

const range: fc.Arbitrary<FrameRange> = fc
  .tuple(fc.integer({ min: -6, max: 6 }), fc.nat({ max: 5 }), fc.integer({ min: 1, max: 3 }))
  .map(([start, length, step]) => {
    return { start, end: start + Math.floor(length / step) * step, step };
  });

/** Small plans of up to three groups that wait for earlier ones in every way. */
export const planArbitrary: fc.Arbitrary<Plan> = fc
  .tuple(
    fc.constantFrom('sequential' as const, 'coarse-to-fine' as const),
    fc.array(
      fc.record({
        numbers: fc.array(range, { minLength: 1, maxLength: 2 }).map((ranges) => normaliseFrames(ranges)),
        after: fc.array(
          fc.record({ group: fc.nat({ max: 2 }), match: fc.constantFrom('same' as const, 'all' as const) }),
          { maxLength: 2 },
        ),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([order, groups]) => ({
    version: 1 as const,
    order,
    groups: groups.map(({ numbers, after }, i) => ({
      name: ['frame', 'comp', 'film'][i] as string,
      work: { kind: 'echo-sleep' as const, message: '', sleepMs: 0 },
      numbers,
      after: after.filter(({ group }) => group < i),
      requires: { engine: 'node' },
    })),
  }));
