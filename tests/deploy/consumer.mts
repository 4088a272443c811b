// How a product in TypeScript uses deploy/node; `tsc --strict` must accept all of it but what is marked.
import { LinregError, load, verify, type Report } from '../../deploy/node/linreg.mjs';

const model = await load('model.onnx');
const named: Float32Array | Float64Array = await model.predict([{ bill_length_mm: 39.1, bill_depth_mm: 18.7, flipper_length_mm: 181 }]);
const ordered = await model.predict([[39.1, 18.7, 181], new Float32Array(3)]);
const unit: string | undefined = model.units.get(model.target ?? '');
await model.release();
const report: Report = await verify('bundle');
if (report.failed > 0) throw new LinregError(report.problems[0] ?? report.cases[0].failure ?? unit ?? String(named[0] + ordered[0]));
// @ts-expect-error a row of text is none
await model.predict([['39.1']]);
// @ts-expect-error the results are not to be changed
report.passed = 5;
