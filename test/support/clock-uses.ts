/**
 * Where a source file reads a clock, found in its syntax. The wall clock may stamp; where its reading is calculated with or
 * compared is told apart, because that is how a duration is measured.
 */
import ts from 'typescript';

export interface ClockUse {
  /** Path inside the repository. */
  readonly file: string;
  /** The function or method around it, the outermost one that has a name; empty at the top of the file. */
  readonly member: string;
  readonly line: number;
  /**
   * `direct`: a clock of Node or of the language, past the `Clock`. `stamp`: the wall clock, its reading kept or passed on.
   * `compared`: the wall clock, its reading calculated with or compared. `number`: a moment made a number, or the other way round.
   */
  readonly is: 'direct' | 'stamp' | 'compared' | 'number';
}

/** Read the wall clock themselves; see shared/base/clock.ts. */
const WALL_HELPERS = new Set(['nowSeconds', 'stampedNow', 'earliestStamp']);
const NUMBER_HELPERS = new Set(['momentMs', 'momentOf']);
/** What a parameter or field that holds a reading of the wall clock is called. */
const READING = /^now(Ms|Seconds)?$/;
/** Have a `now` that is no time. */
const NO_CLOCKS = new Set(['stats', 'workerCount', 'this']);

const CALCULATING = new Set([
  ts.SyntaxKind.PlusToken,
  ts.SyntaxKind.MinusToken,
  ts.SyntaxKind.AsteriskToken,
  ts.SyntaxKind.SlashToken,
  ts.SyntaxKind.PercentToken,
  ts.SyntaxKind.LessThanToken,
  ts.SyntaxKind.LessThanEqualsToken,
  ts.SyntaxKind.GreaterThanToken,
  ts.SyntaxKind.GreaterThanEqualsToken,
  ts.SyntaxKind.PlusEqualsToken,
  ts.SyntaxKind.MinusEqualsToken,
]);

export function clockUses(file: string, text: string): ClockUse[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const uses: ClockUse[] = [];
  const add = (node: ts.Node, is: ClockUse['is']): void => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    uses.push({ file, member: memberAround(node), line, is });
  };
  const visit = (node: ts.Node): void => {
    if (isDirect(node)) add(node, 'direct');
    else if (isWallReading(node)) add(node, isComparedReading(node) ? 'compared' : 'stamp');
    else if (isNumberHelper(node)) add(node, 'number');
    else if (isHeldReading(node) && isCalculatedWith(node)) add(node, 'compared');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return uses;
}

function isDirect(node: ts.Node): boolean {
  if (ts.isNewExpression(node))
    return isNamed(node.expression, 'Date') && (node.arguments?.length ?? 0) === 0;
  if (ts.isCallExpression(node)) return isNamed(node.expression, 'Date');
  if (ts.isImportSpecifier(node))
    return ['hrtime', 'performance'].includes((node.propertyName ?? node.name).text);
  if (!ts.isPropertyAccessExpression(node)) return false;
  const [of, name] = [lastName(node.expression), node.name.text];
  if (of === 'Date') return name === 'now';
  if (of === 'performance') return true;
  return of === 'process' && ['hrtime', 'uptime'].includes(name);
}

/** `clock.now()` of whatever it is called, the method itself passed on, and the helpers that call it. */
function isWallReading(node: ts.Node): boolean {
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression))
    return WALL_HELPERS.has(node.expression.text);
  if (!ts.isPropertyAccessExpression(node) || node.name.text !== 'now') return false;
  const of = lastName(node.expression);
  if (of === 'Date' || of === 'performance' || NO_CLOCKS.has(of)) return false;
  return isCallee(node) || /clock$/i.test(of);
}

function isNumberHelper(node: ts.Node): boolean {
  return (
    ts.isCallExpression(node) && ts.isIdentifier(node.expression) && NUMBER_HELPERS.has(node.expression.text)
  );
}

/** A parameter, variable or field with the name of a reading, where it is used. */
function isHeldReading(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node))
    return READING.test(node.name.text) && !isCallee(node) && !NO_CLOCKS.has(lastName(node.expression));
  return ts.isIdentifier(node) && READING.test(node.text) && !isPropertyName(node);
}

function isComparedReading(node: ts.Node): boolean {
  const reading = isCallee(node) ? node.parent : node;
  if (isCalculatedWith(reading)) return true;
  const name = nameGivenTo(reading);
  if (name === null) return false;
  return referencesIn(enclosingFunction(reading), name).some(isCalculatedWith);
}

function isCalculatedWith(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isParenthesizedExpression(parent)) return isCalculatedWith(parent);
  if (ts.isBinaryExpression(parent)) {
    if (CALCULATING.has(parent.operatorToken.kind)) return true;
    return parent.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken && isCalculatedWith(parent);
  }
  // `sql` and its like: the value is compared in the text around it.
  if (ts.isTemplateSpan(parent)) return ts.isTaggedTemplateExpression(parent.parent.parent);
  // A Date in place of a number.
  if (ts.isPropertyAccessExpression(parent) && parent.name.text === 'getTime' && isCallee(parent))
    return isCalculatedWith(parent.parent);
  return isArgumentOfMath(node);
}

function isArgumentOfMath({ parent }: ts.Node): boolean {
  return (
    ts.isCallExpression(parent) &&
    ts.isPropertyAccessExpression(parent.expression) &&
    lastName(parent.expression.expression) === 'Math'
  );
}

/** `const name = …`, also as one of several: `const [name, other] = […, …]`. */
function nameGivenTo(reading: ts.Node): string | null {
  const { parent } = reading;
  if (ts.isVariableDeclaration(parent)) return ts.isIdentifier(parent.name) ? parent.name.text : null;
  if (!ts.isArrayLiteralExpression(parent) || !ts.isVariableDeclaration(parent.parent)) return null;
  const { name } = parent.parent;
  if (!ts.isArrayBindingPattern(name)) return null;
  const element = name.elements[parent.elements.indexOf(reading as ts.Expression)];
  return element && ts.isBindingElement(element) && ts.isIdentifier(element.name) ? element.name.text : null;
}

function referencesIn(scope: ts.Node, name: string): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(scope);
  return found;
}

function isPropertyName(node: ts.Identifier): boolean {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
}

function enclosingFunction(node: ts.Node): ts.Node {
  let at = node;
  while (at.parent && !ts.isFunctionLike(at)) at = at.parent;
  return at;
}

/** `method`, `#method`, `constructor`, `function`, or the name of the constant at the top of the file. */
function memberAround(node: ts.Node): string {
  let member = '';
  for (let at: ts.Node = node; at.parent; at = at.parent) {
    if (ts.isConstructorDeclaration(at)) return 'constructor';
    if (ts.isMethodDeclaration(at) && ts.isClassLike(at.parent)) return at.name.getText();
    if (ts.isAccessor(at) && ts.isClassLike(at.parent)) return at.name.getText();
    if (ts.isFunctionDeclaration(at) && at.name) member = at.name.text;
    if (ts.isVariableDeclaration(at) && ts.isSourceFile(at.parent.parent.parent)) member = at.name.getText();
  }
  return member;
}

function isCallee(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && node.parent.expression === node;
}

function isNamed(node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name;
}

/** `clock` of `this.#deps.clock`. */
function lastName(node: ts.Node): string {
  if (node.kind === ts.SyntaxKind.ThisKeyword) return 'this';
  if (ts.isPropertyAccessExpression(node)) return node.name.text.replace(/^#/, '');
  return ts.isIdentifier(node) ? node.text : '';
}
