// Prints what a reader of npm's makes of V in each of the files: a JSON array, with
// null for a file that the reader refuses.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseEnv } from 'node:util';
import { parse } from 'dotenv';
import { expand } from 'dotenv-expand';
import dotenvx from '@dotenvx/dotenvx';
import next from '@next/env';
import { loadEnv } from 'vite';

const text = (path) => readFileSync(path, 'utf8');
const quiet = { info() {}, error() {} };
const readers = {
  node: (path) => parseEnv(text(path)),
  dotenv: (path) => parse(text(path)),
  dotenvx: (path) => dotenvx.parse(text(path), { processEnv: {} }),
  'dotenv-expand': (path) => expand({ parsed: parse(text(path)), processEnv: {} }).parsed,
  '@next/env': (path) => next.loadEnvConfig(dirname(path), false, quiet, true).combinedEnv,
  vite: (path) => loadEnv('production', dirname(path), 'V'),
};

const [name, ...paths] = process.argv.slice(2);
console.log(JSON.stringify(paths.map((path) => {
  delete process.env.V;
  try {
    return readers[name](path).V ?? null;
  } catch {
    return null;
  }
})));
