/* A fused multiply-add of floats that rounds once, for a C library whose own rounds twice.
 *
 * newlib's fmaf, where the processor has no such instruction, adds to the product in double precision and then rounds
 * to float. Compile this file beside model.c, and the linker takes it instead. The product of two floats is exact in
 * double; the sum is rounded to odd (Boldo and Melquiond, 2008), so that rounding it to float rounds only once.
 */
#include <stdint.h>
#include <string.h>

float fmaf(float x, float y, float z);

/* Round `sum` to odd: `error` is what the nearest double misses. */
static double round_to_odd(double sum, double error) {
  uint64_t bits;
  memcpy(&bits, &sum, sizeof bits);
  if ((bits & 1) == 0) bits += (error > 0) == (sum > 0) ? UINT64_C(1) : UINT64_MAX; /* towards the exact sum */
  memcpy(&sum, &bits, sizeof sum);
  return sum;
}

float fmaf(float x, float y, float z) {
  const double product = (double)x * (double)y, sum = product + (double)z;
  const double added = sum - product;
  const double error = (product - (sum - added)) + ((double)z - added);
  /* NaN where the sum is not finite, and then nothing was lost. */
  return (float)(error > 0 || error < 0 ? round_to_odd(sum, error) : sum);
}
