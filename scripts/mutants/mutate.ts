import { parseSync } from 'vite';
import { COMPARISONS } from './comparisons.ts';
import { isSyntaxNode, lineAt, type SourceFile, type SyntaxNode } from '../check/sources.ts';

/** One change of one place. */
export interface Mutant {
  readonly id: number;
  readonly file: string;
  readonly line: number;
  /** The text of the line where the place begins, by which a list of survivors finds it after edits elsewhere. */
  readonly lineText: string;
  /** What is changed, and into what: `a < b → <=`. */
  readonly change: string;
  /** Which of those with the same line and change in the file, from 0. */
  readonly ordinal: number;
}

/** What a copy is for: to choose one mutant at run time, or to see which of them a test could notice at all. */
export type CopyMode = 'choose' | 'record';

export interface MutatedFile {
  readonly mutants: Mutant[];
  /** The file with every mutant in it, each asleep until its number is chosen. */
  readonly textFor: (mode: CopyMode) => string;
}

interface Change {
  /** What stands after the arrow. */
  readonly to: string;
  /** The expression that takes the place's own. */
  readonly text: string;
}

interface Place {
  readonly first: number;
  /** What stands before the arrow. */
  readonly from: string;
  readonly changes: Change[];
  /** How a recording copy evaluates the place; undefined where each evaluation may be noticed. */
  readonly record: ((render: (node: SyntaxNode) => string) => string) | undefined;
}

const ARITHMETIC: Readonly<Record<string, string>> = { '+': '-', '-': '+', '*': '/', '/': '*' };
const ASSIGNMENTS: Readonly<Record<string, string>> = {
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '??=': '=',
  '||=': '&&=',
};

/** From here on a number is a size or a time, of which one more or less is nothing that anyone could see. */
const LARGE = 100;

/** The longest text of a changed expression that is written out whole. */
const CHANGE_LENGTH_MAX = 70;

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const LOOPS = new Set([
  'ForStatement',
  'ForOfStatement',
  'ForInStatement',
  'WhileStatement',
  'DoWhileStatement',
]);
/** Types have no value; only what stands inside such expressions has. */
const TYPED_EXPRESSIONS = new Set([
  'TSAsExpression',
  'TSNonNullExpression',
  'TSSatisfiesExpression',
  'TSInstantiationExpression',
]);
const TESTED = new Set([
  'IfStatement',
  'ConditionalExpression',
  'WhileStatement',
  'DoWhileStatement',
  'ForStatement',
]);

const TICK = 'if (++__m.ticks > __m.ticksMax) __m.over();';

/** Finds every place of a file that is mutated, and numbers its mutants from `firstId`. */
export function mutate(source: SourceFile, firstId: number, runtimeUrl: string): MutatedFile {
  const { path, text } = source;
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const finder = new PlaceFinder(text, firstId);
  finder.visit(program as unknown as SyntaxNode, false, undefined);
  const counts = new Map<string, number>();
  const ordinalOf = (lineText: string, change: string): number => {
    const key = `${lineText}\n${change}`;
    const ordinal = counts.get(key) ?? 0;
    counts.set(key, ordinal + 1);
    return ordinal;
  };
  const mutants = [...finder.places].flatMap(([node, { first, from, changes }]) =>
    changes.map(({ to }, index) => {
      const lineText = lineTextAt(text, node.start);
      const change = `${from} → ${to}`;
      return {
        id: first + index,
        file: path,
        line: lineAt(text, node.start),
        lineText,
        change,
        ordinal: ordinalOf(lineText, change),
      };
    }),
  );
  const header = `import { choice as __m, record as __r } from '${runtimeUrl}'; `;
  return {
    mutants,
    textFor: (mode) =>
      header + new Renderer(text, finder.places, mode).render(program as unknown as SyntaxNode, text.length),
  };
}

function lineTextAt(text: string, position: number): string {
  const start = text.lastIndexOf('\n', position - 1) + 1;
  const end = text.indexOf('\n', position);
  return text.slice(start, end === -1 ? text.length : end).trim();
}

function shortened(text: string): string {
  const plain = text.replace(/\s+/g, ' ');
  if (plain.length <= CHANGE_LENGTH_MAX) return plain;
  return `${plain.slice(0, CHANGE_LENGTH_MAX / 2)}…${plain.slice(-CHANGE_LENGTH_MAX / 2)}`;
}

/** The children that are code, in the order of the text. */
function childrenOf(node: SyntaxNode): SyntaxNode[] {
  if (node.type.startsWith('TS') && !TYPED_EXPRESSIONS.has(node.type)) return [];
  const children: SyntaxNode[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (key === 'key' && node['computed'] !== true) continue;
    if (Array.isArray(value)) children.push(...value.filter(isSyntaxNode));
    else if (isSyntaxNode(value)) children.push(value);
  }
  return children.sort((a, b) => a.start - b.start);
}

class PlaceFinder {
  readonly places = new Map<SyntaxNode, Place>();
  readonly #text: string;
  #nextId: number;

  constructor(text: string, firstId: number) {
    this.#text = text;
    this.#nextId = firstId;
  }

  /** `isTest` where only the truth of the value counts. */
  visit(node: SyntaxNode, isTest: boolean, parent: SyntaxNode | undefined): void {
    const { changes, record } = this.#changesOf(node, isTest);
    if (changes.length > 0) {
      const first = this.#nextId;
      this.#nextId += changes.length;
      this.places.set(node, { first, from: this.#nameOf(node, parent), changes, record: record?.(first) });
    }
    for (const child of childrenOf(node)) this.visit(child, isTested(node, child, isTest), node);
  }

  /** A number alone says too little: what it stands in is named, too. */
  #nameOf(node: SyntaxNode, parent: SyntaxNode | undefined): string {
    const own = shortened(this.#textOf(node));
    return node.type === 'Literal' && parent !== undefined
      ? `${shortened(this.#textOf(parent))}: ${own}`
      : own;
  }

  #textOf(node: unknown): string {
    const { start, end } = node as SyntaxNode;
    return this.#text.slice(start, end);
  }

  #changesOf(node: SyntaxNode, isTest: boolean): Found {
    switch (node.type) {
      case 'BinaryExpression':
        return this.#binary(node, isTest);
      case 'LogicalExpression':
        return this.#logical(node, isTest);
      case 'UnaryExpression':
        return this.#unary(node, isTest);
      case 'UpdateExpression': {
        const to = node['operator'] === '++' ? '--' : '++';
        const argument = this.#textOf(node['argument']);
        return { changes: [{ to, text: node['prefix'] === true ? to + argument : argument + to }] };
      }
      case 'AssignmentExpression': {
        const to = ASSIGNMENTS[node['operator'] as string];
        if (to === undefined) return NOTHING;
        return {
          changes: [{ to, text: `${this.#textOf(node['left'])} ${to} ${this.#textOf(node['right'])}` }],
        };
      }
      case 'Literal':
        return literal(node);
      case 'MemberExpression': {
        const text = this.#textOf(node);
        if (text === 'Math.min') return { changes: [{ to: 'Math.max', text: 'Math.max' }] };
        if (text === 'Math.max') return { changes: [{ to: 'Math.min', text: 'Math.min' }] };
        return this.#condition(node, isTest);
      }
      case 'Identifier':
      case 'CallExpression':
      case 'ChainExpression':
        return this.#condition(node, isTest);
      default:
        return NOTHING;
    }
  }

  #condition(node: SyntaxNode, isTest: boolean): Found {
    if (!isTest) return NOTHING;
    return { changes: [{ to: 'its negation', text: `!(${this.#textOf(node)})` }] };
  }

  #binary(node: SyntaxNode, isTest: boolean): Found {
    const operator = node['operator'] as string;
    const left = node['left'] as SyntaxNode;
    const right = node['right'] as SyntaxNode;
    const comparisons = COMPARISONS[operator];
    const withOperator = (to: string): Change => ({
      to,
      text: `(${this.#textOf(left)}) ${to} (${this.#textOf(right)})`,
    });
    if (comparisons !== undefined) {
      return {
        changes: comparisons.map(withOperator),
        record: (first) => (render) =>
          `__r.compare(${first}, '${operator}', ${render(left)}, ${render(right)})`,
      };
    }
    if (operator === 'in' || operator === 'instanceof') return this.#condition(node, true);
    const arithmetic = ARITHMETIC[operator];
    if (arithmetic !== undefined && !isText(left) && !isText(right))
      return { changes: [withOperator(arithmetic)] };
    return this.#condition(node, isTest);
  }

  #logical(node: SyntaxNode, isTest: boolean): Found {
    const operator = node['operator'] as string;
    const left = node['left'] as SyntaxNode;
    const right = node['right'] as SyntaxNode;
    if (operator === '??') {
      return {
        changes: [
          { to: 'without its default', text: `(${this.#textOf(left)})` },
          { to: 'its default', text: `(${this.#textOf(right)})` },
        ],
        record: (first) => (render) => `(__r.fallback(${first}, ${render(left)}) ?? ${render(right)})`,
      };
    }
    const to = operator === '&&' ? '||' : '&&';
    const name = operator === '&&' ? 'and' : 'or';
    // Another function's body cannot wait or yield for this one.
    const isPlain = !/\b(await|yield)\b/.test(this.#textOf(right));
    return {
      changes: [{ to, text: `(${this.#textOf(left)}) ${to} (${this.#textOf(right)})` }],
      ...(isPlain && {
        record: (first) => (render) =>
          `__r.${name}(${first}, ${isTest}, ${render(left)}, () => (${render(right)}))`,
      }),
    };
  }

  #unary(node: SyntaxNode, isTest: boolean): Found {
    const argument = this.#textOf(node['argument']);
    if (node['operator'] === '!')
      return { changes: [{ to: 'without its negation', text: `!!(${argument})` }] };
    if (node['operator'] === '-') return { changes: [{ to: 'without its sign', text: `(${argument})` }] };
    return this.#condition(node, isTest);
  }
}

interface Found {
  readonly changes: Change[];
  readonly record?: (first: number) => NonNullable<Place['record']>;
}

const NOTHING: Found = { changes: [] };

/** Of a condition made of parts, each part; what stands behind `!` has its own change. */
function isTested(parent: SyntaxNode, child: SyntaxNode, isParentTest: boolean): boolean {
  if (parent.type === 'LogicalExpression')
    return isParentTest && (parent['operator'] === '&&' || parent['operator'] === '||');
  if (TESTED.has(parent.type)) {
    if (child === parent['test']) return true;
    return parent.type === 'ConditionalExpression' && isParentTest;
  }
  return false;
}

function literal({ value, raw, bigint }: SyntaxNode): Found {
  if (typeof value === 'boolean') return { changes: [{ to: `${!value}`, text: `${!value}` }] };
  if (typeof bigint === 'string') {
    const to = `${BigInt(bigint) + 1n}n`;
    return { changes: [{ to, text: to }] };
  }
  if (typeof value !== 'number' || typeof raw !== 'string') return NOTHING;
  return { changes: numbersFor(value).map((number) => ({ to: `${number}`, text: `${number}` })) };
}

/** A small number's next one (and nothing instead of one); of a size or a share what is far from it. */
function numbersFor(value: number): number[] {
  if (value === 1) return [2, 0];
  if (Number.isInteger(value) && value < LARGE) return [value + 1];
  return [value * 10, Number.isInteger(value) ? Math.trunc(value / 10) : value / 10];
}

function isText(node: SyntaxNode): boolean {
  if (node.type === 'TemplateLiteral') return true;
  if (node.type === 'Literal') return typeof node['value'] === 'string';
  return (
    node.type === 'BinaryExpression' &&
    (isText(node['left'] as SyntaxNode) || isText(node['right'] as SyntaxNode))
  );
}

/** Writes the text again with every place's mutants in it. */
class Renderer {
  readonly #text: string;
  readonly #places: ReadonlyMap<SyntaxNode, Place>;
  readonly #mode: CopyMode;

  constructor(text: string, places: ReadonlyMap<SyntaxNode, Place>, mode: CopyMode) {
    this.#text = text;
    this.#places = places;
    this.#mode = mode;
  }

  /** The program's own node may begin after a comment: all of the text up to `end` is written. */
  render(program: SyntaxNode, end: number): string {
    return this.#inside(program, 0, end);
  }

  #node(node: SyntaxNode): string {
    const place = this.#places.get(node);
    if (place === undefined) return this.#inside(node, node.start, node.end);
    const { first, changes, record } = place;
    if (this.#mode === 'record') {
      if (record !== undefined) return record((child) => this.#node(child));
      return `(__r.hit(${first}, ${changes.length}), ${this.#inside(node, node.start, node.end)})`;
    }
    const choices = changes.map(({ text }, index) => `__m.id === ${first + index} ? (${text}) : `).join('');
    return `(${choices}${this.#inside(node, node.start, node.end)})`;
  }

  #inside(node: SyntaxNode, start: number, end: number): string {
    let written = '';
    let at = start;
    for (const child of childrenOf(node)) {
      // A shorthand's name and value are the same text.
      if (child.start < at) continue;
      written += this.#text.slice(at, child.start);
      written += isCounted(node, child) ? this.#counted(child) : this.#node(child);
      at = child.end;
    }
    return written + this.#text.slice(at, end);
  }

  /** The body of a function or a loop, whose rounds are counted. */
  #counted(body: SyntaxNode): string {
    if (body.type !== 'BlockStatement') return `{ ${TICK} ${this.#node(body)} }`;
    return `{ ${TICK} ${this.#inside(body, body.start + 1, body.end)}`;
  }
}

function isCounted(parent: SyntaxNode, child: SyntaxNode): boolean {
  if (child !== parent['body']) return false;
  return LOOPS.has(parent.type) || (FUNCTIONS.has(parent.type) && child.type === 'BlockStatement');
}
