/** Types of model.mjs, which linreg exported; do not edit. */

/** How many numbers a row of the input has. */
export declare const inputSize: number;
/** How many numbers a row of the output has. */
export declare const outputSize: number;
/** The shape of one row of the input. */
export declare const inputShape: readonly number[];
/** The shape of one row of the output. */
export declare const outputShape: readonly number[];
/** The columns of the input in their order; empty if the model has no names for them. */
export declare const featureNames: readonly string[];
/** The name of what is predicted, if the model has one. */
export declare const targetName: string | null;
/** The identity of the weights, which manifest.json has too. */
export declare const stateSha256: string;

/**
 * Predict rows.
 *
 * @param input inputSize numbers for each row, row by row
 * @param output takes outputSize numbers for each row; it must not overlap the input
 * @returns the output
 */
export declare function predict(input: Float32Array, output?: Float32Array): Float32Array;
