import {
  type Finding,
  isSyntaxNode,
  lineAt,
  type SourceFile,
  type SyntaxNode,
  walkSyntax,
} from './sources.ts';

/** The code that must not know of clock, randomness or timers; system, cli and ui may, scripts and tests too. */
const BOUND = /^(protocol\/src|node\/src)\/.*\.ts$/;
const FREE = /^node\/src\/(system|cli)\//;

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate']);

/** Members of global objects that tell the time, wait for it, or throw dice. */
const MEMBERS: Record<string, RegExp> = {
  Date: /^now$/,
  Math: /^random$/,
  performance: /^(now|timeOrigin)$/,
  process: /^hrtime$/,
  crypto: /^(random.*|getRandomValues)$/,
  AbortSignal: /^timeout$/,
};

const MODULES = /^(node:)?(timers|timers\/promises|perf_hooks)$/;

/** Objects to clock, randomness and timers outside the rooms that own them (STYLE.md, house rule 5). */
export function checkPurity(sources: SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    if (!BOUND.test(source.path) || FREE.test(source.path)) continue;
    walkSyntax(source, (node, parent, key) => {
      const what = impurity(node, parent, key);
      if (what === undefined) return;
      const sentence = `${what} stands outside node/src/system: take a Clock or Random as a component instead.`;
      findings.push({ file: source.path, line: lineAt(source.text, node.start), sentence });
    });
  }
  return findings;
}

function impurity(node: SyntaxNode, parent: SyntaxNode | undefined, key: string): string | undefined {
  switch (node.type) {
    case 'NewExpression':
      return nameOf(node['callee']) === 'Date' && isEmptyArray(node['arguments']) ? 'new Date()' : undefined;
    case 'CallExpression':
      return nameOf(node['callee']) === 'Date' ? 'Date()' : undefined;
    case 'MemberExpression':
      return memberImpurity(node);
    case 'Identifier':
      return TIMERS.has(nameOf(node) ?? '') && isReference(parent, key) ? nameOf(node) : undefined;
    case 'ImportDeclaration':
      return importImpurity(node);
    default:
      return undefined;
  }
}

function memberImpurity(node: SyntaxNode): string | undefined {
  const object = node['object'];
  const property = nameOf(node['property']) ?? '';
  // `globalThis.setTimeout` and `globalThis.crypto.randomUUID` are the same things by a longer name.
  const owner =
    nameOf(object) ??
    (isSyntaxNode(object) && object.type === 'MemberExpression' ? nameOf(object['property']) : undefined);
  if (owner === 'globalThis' && TIMERS.has(property)) return property;
  return owner !== undefined && Object.hasOwn(MEMBERS, owner) && MEMBERS[owner]?.test(property)
    ? `${owner}.${property}`
    : undefined;
}

function importImpurity(node: SyntaxNode): string | undefined {
  const module = isSyntaxNode(node['source']) ? String(node['source']['value']) : '';
  if (MODULES.test(module)) return node['importKind'] === 'type' ? undefined : module;
  if (!/^(node:)?crypto$/.test(module) || !Array.isArray(node['specifiers'])) return undefined;
  const names = node['specifiers'].map((specifier: SyntaxNode) => nameOf(specifier['imported']) ?? '');
  const random = names.find((name) => /^(random|getRandomValues)/.test(name));
  return random === undefined ? undefined : `${random} of ${module}`;
}

function nameOf(node: unknown): string | undefined {
  return isSyntaxNode(node) && node.type === 'Identifier' && typeof node['name'] === 'string'
    ? node['name']
    : undefined;
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Whether an identifier stands for the global, not for a property, a key, an own name or a type. */
function isReference(parent: SyntaxNode | undefined, key: string): boolean {
  if (parent === undefined) return false;
  if (parent.type === 'MemberExpression' && key === 'property' && parent['computed'] !== true) return false;
  if (/^TS|Import|Export|^Method|^AccessorProperty/.test(parent.type)) return false;
  if (/Property(Definition)?$/.test(parent.type)) return key === 'value' && parent['shorthand'] !== true;
  return !(key === 'params' || key === 'id');
}
