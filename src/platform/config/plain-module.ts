/**
 * Reads a TypeScript file that stands alone, as nearly all of an operator's do. Whoever starts, and every command that reads
 * the configuration, pays for the compiler: this one needs an eighth of the time and the memory of the general one (jiti),
 * which is for the others.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { runInThisContext } from 'node:vm';

type ModuleFunction = (
  exports: Record<string, unknown>,
  require: NodeJS.Require,
  filename: string,
  folder: string,
) => Promise<void>;

/** What only a real module has. `exports`, `__filename` and `__dirname` are given to the text here. */
const NEEDS_MODULE = /\bimport\s*[.(]|\bexport\s*=|\brequire\b|\bmodule\s*\.\s*exports\b/;
/** What is left of an import when it is compiled; one of types alone leaves nothing. */
const REQUIRED = /\brequire\(\s*(['"])(.*?)\1/g;

/**
 * Compiles this text. Returns a function that runs it and resolves with its exports; null when it needs other files or does
 * not parse.
 */
export async function readPlainModule(
  file: string,
  text: string,
): Promise<(() => Promise<Record<string, unknown>>) | null> {
  if (NEEDS_MODULE.test(text)) return null;
  const code = await compile(text);
  if (code === null || !standsAlone(code)) return null;
  const wrapped = `(async function (exports, require, __filename, __dirname) {${code}\n})`;
  const run = runInThisContext(wrapped, { filename: file }) as ModuleFunction;
  return async () => {
    const exports: Record<string, unknown> = {};
    await run(exports, createRequire(file), file, dirname(file));
    return exports;
  };
}

/** An import inside a comment or string counts too; a real one is never overlooked. */
function standsAlone(code: string): boolean {
  return [...code.matchAll(REQUIRED)].every(([, , name]) => name?.startsWith('node:'));
}

/** Each line stays where it is, so that the place of an error is that of the file. */
async function compile(text: string): Promise<string | null> {
  const { transform } = await import('sucrase');
  try {
    const { code } = transform(text, { transforms: ['typescript', 'imports'], disableESTransforms: true });
    // It takes more than is right; the engine looks again before anything runs.
    runInThisContext(`0 && (async function () {${code}\n})`);
    return code;
  } catch {
    // jiti says what is wrong with it, and where.
    return null;
  }
}
