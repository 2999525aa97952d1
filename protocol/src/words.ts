import { encode } from './codec.ts';
import type { FarmId, PeerId } from './ids.ts';

/**
 * The three words that a newcomer's screen and a member's screen both show (SPEC R67). They are short, common,
 * apart in sound and spelling, and easy to read out across a room.
 */

const LIST = `
able acorn actor amber anchor angle apple april arrow atlas autumn avenue badge baker bamboo banjo
barn basket beach beetle bell berry bicycle birch blanket bonfire book bottle bread bridge bronze brush
bubble bucket butter button cabin cactus camel candle canoe carpet carrot castle cedar cello chalk cherry
circus clay cliff clock cloud clover cobalt coffee comet copper coral cotton crane cricket crown cube
daisy dance desert diamond dolphin donkey door dragon drum dune eagle earth echo elbow elm engine
falcon fan feather fence fern fiddle field finger flag flame flute forest fossil fountain fox frost
galaxy garden garlic ghost ginger giraffe glacier glass globe goat gold grape grass guitar hammer harbor
harp hat hazel hedge helmet heron hill honey horn horse hotel igloo indigo ink iron island
ivory jacket jaguar jelly jewel juice jungle kettle king kite kiwi ladder lake lamp lantern lark
lava lemon letter lily lime linen lion lizard lobster lotus magnet mango maple marble market meadow
melon mint mirror monkey moon moss motor mountain mouse museum mustard napkin needle nest night nut
oak oasis ocean olive onion opal orbit orchid otter oven owl oyster paddle palm panda paper
parrot peach pearl pebble pencil pepper piano pigeon pillow pine pirate planet plum pocket polar pony
poppy potato pumpkin puzzle quartz queen quilt rabbit radio rain raven ribbon river robin rocket rose
ruby saddle saffron sail salmon sandal satin scarf shadow shell silver snail snow spoon squid star
stone summer sun swan table tango tiger timber tomato tulip turtle velvet violin walnut whale zebra`;

export const WORDS: readonly string[] = LIST.trim().split(/\s+/);

/** SHA-256 of bytes, given by the caller: this room knows no platform. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** The three words of a newcomer at a farm: the same wherever they are made. */
export function threeWords(newcomer: PeerId, farm: FarmId, sha256: Sha256): string {
  const digest = sha256(encode(['cuadro/1/words', newcomer, farm]));
  return [0, 1, 2].map((at) => WORDS[digest[at] as number]).join(' ');
}

/** Words as people write them: in any case, with blanks, commas or hyphens between. */
export function sameWords(a: string, b: string): boolean {
  const normal = (text: string): string =>
    text
      .toLowerCase()
      .match(/[a-z]+/g)
      ?.join(' ') ?? '';
  return normal(a) !== '' && normal(a) === normal(b);
}
