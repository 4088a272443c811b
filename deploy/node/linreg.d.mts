/** One row: its features by name, or in the order of `Model.features`. */
export type Row = Readonly<Record<string, number>> | readonly number[] | Float32Array | Float64Array;

/** A loaded model.onnx that linreg exported. */
export interface Model {
  /** Names of the features in order; null where the file names none. */
  readonly features: readonly string[] | null;
  /** Name of what is predicted; null where the file names none. */
  readonly target: string | null;
  /** Units by the name of a feature or of the target, as far as they are known. */
  readonly units: ReadonlyMap<string, string>;
  /** One prediction a row, in the model's own type. */
  predict(rows: readonly Row[]): Promise<Float32Array | Float64Array>;
  /** Free the memory of the runtime. */
  release(): Promise<void>;
}

/** What one test vector showed. */
export interface CaseResult {
  readonly name: string;
  readonly rows: number;
  /** The largest error in units of what is allowed; at most 1 where the case passed. */
  readonly worst: number;
  readonly bytesEqual: boolean;
  /** What differs, in one line; null where the case passed. */
  readonly failure: string | null;
}

/** What a bundle showed: it is proved if `passed > 0 && failed === 0`. */
export interface Report {
  /** How many files SHA256SUMS lists. */
  readonly files: number;
  /** Files that are missing, damaged or not as SHA256SUMS says; no test vector is run then. */
  readonly problems: readonly string[];
  readonly cases: readonly CaseResult[];
  readonly passed: number;
  readonly failed: number;
  readonly worst: number;
  readonly bytesEqual: boolean;
}

/** An expected failure; its message is one line. */
export class LinregError extends Error {}

/** Load a model.onnx. */
export function load(path: string): Promise<Model>;

/** Check the sha256 of every file of a bundle, then run its test vectors. */
export function verify(folder: string): Promise<Report>;
