/* An affine model: output = input * weight^T + bias. SQL exported by linreg; do not edit.
 * {
 *  "features": ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"],
 *  "inputs": [{"dtype": "float32", "name": "input", "shape": ["batch", 3]}],
 *  "outputs": [{"dtype": "float32", "name": "output", "shape": ["batch", 1]}],
 *  "parameters": [{"dtype": "float32", "name": "linear_layer.weight", "shape": [1, 3]}, {"dtype": "float32", "name": "linear_layer.bias", "shape": [1]}],
 *  "ranges": [[32.1, 59.6], [13.1, 21.5], [172.0, 231.0]],
 *  "state_sha256": "7fa2820d0f2d92d3932d6cf33c9841a81a6512ae76b2fb03cdd28843d582c3ee",
 *  "target": "body_mass_g"
 * }
 */
/* Reads linreg_input, a table or view of numbers. For a table of yours:
 *   WITH linreg_input AS (SELECT * FROM your_table) SELECT * FROM (this query) AS predicted
 * Arithmetic is double precision. A column that is NULL makes the predictions NULL, as far as they depend on it.
 * SQLite reads text as the number that it begins with, or as 0: check that the columns hold numbers.
 * The query adds columns to those of the table. A table that has one of their names is an error: it is ambiguous.
 */
SELECT given.*,
    CAST(given."bill_length_mm" AS DOUBLE PRECISION) * 2.051875114440918e0
    + CAST(given."bill_depth_mm" AS DOUBLE PRECISION) * 20.664695739746094e0
    + CAST(given."flipper_length_mm" AS DOUBLE PRECISION) * 50.84477233886719e0
    + (-6477.81396484375e0)
    AS "predicted_body_mass_g"
FROM linreg_input AS given
WHERE NOT EXISTS (SELECT "predicted_body_mass_g" FROM (SELECT 0 AS "predicted_body_mass_g") AS added, linreg_input LIMIT 0)
