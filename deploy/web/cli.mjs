#!/usr/bin/env node
/** `node cli.mjs predict|verify|bench`: the page's wasm without a browser; the commands are those of ../node. */

import { readFile } from 'node:fs/promises';

import { onnxEngine } from '../js/verify.mjs';
import { main } from '../node/commands.mjs';
import { WASM, startRuntime } from './runtime.mjs';

const ort = await startRuntime(() => readFile(WASM));
await main({ name: 'wasm', version: ort.env.versions.web, engine: onnxEngine(ort) }, 'node cli.mjs', process.argv.slice(2));
