#!/usr/bin/env node
/** `node cli.mjs predict|verify|bench`: a bundle in onnxruntime-node. */

import * as ort from 'onnxruntime-node';

import { onnxEngine } from '../js/verify.mjs';
import { main } from './commands.mjs';

await main({ name: 'node', version: ort.env.versions.node, engine: onnxEngine(ort) }, 'node cli.mjs', process.argv.slice(2));
