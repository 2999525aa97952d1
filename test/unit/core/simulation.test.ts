import { test } from 'node:test';
import fc from 'fast-check';
import { MOVE_KINDS, Simulation, type Move } from './simulation.ts';

const move: fc.Arbitrary<Move> = fc.tuple(
  fc.nat({ max: MOVE_KINDS - 1 }),
  fc.nat({ max: 4_999 }),
  fc.nat({ max: 999 }),
);

function play(moves: readonly Move[]): void {
  const simulation = new Simulation();
  for (const one of moves) simulation.move(one);
  simulation.finish();
}

test('R52, R53, R54, R80: a farm that renders, fails, dies, restarts and is steered at random ends every job', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 120, size: 'max' }), (moves) => play(moves)),
    { numRuns: Number(process.env['CUADRO_RUNS'] ?? 150) },
  );
});
