/* An affine model: output = input * weight^T + bias. SQL exported by linreg; do not edit.
 * {
 *  "features": ["x"],
 *  "inputs": [{"dtype": "float32", "name": "input", "shape": ["batch", 1]}],
 *  "outputs": [{"dtype": "float32", "name": "output", "shape": ["batch", 1]}],
 *  "parameters": [{"dtype": "float32", "name": "linear_layer.weight", "shape": [1, 1]}, {"dtype": "float32", "name": "linear_layer.bias", "shape": [1]}],
 *  "ranges": [[0.0, 0.9800000190734863]],
 *  "state_sha256": "27c44efa416155b6c2d282830ca25139690c72d6f077a8fabf4f7e6829e503f3",
 *  "target": "y"
 * }
 */
/* Reads linreg_input, a table or view of numbers. For a table of yours:
 *   WITH linreg_input AS (SELECT * FROM your_table) SELECT * FROM (this query) AS predicted
 * Arithmetic is double precision. A column that is NULL makes the predictions NULL, as far as they depend on it.
 * SQLite reads text as the number that it begins with, or as 0: check that the columns hold numbers.
 * The query adds columns to those of the table. A table that has one of their names is an error: it is ambiguous.
 */
SELECT given.*,
    CAST(given."x" AS DOUBLE PRECISION) * 0.6968093514442444e0
    + 0.3025088608264923e0
    AS "predicted_y"
FROM linreg_input AS given
WHERE NOT EXISTS (SELECT "predicted_y" FROM (SELECT 0 AS "predicted_y") AS added, linreg_input LIMIT 0)
