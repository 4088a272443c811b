/* Print the bits of fmaf for the triples of floats in a file, each given by its bits. For tests/processors/test_fmaf.py. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static float from_bits(unsigned long word) {
  const uint32_t bits = (uint32_t)word;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

int main(int count, char **words) {
  FILE *file = count == 2 ? fopen(words[1], "r") : NULL;
  unsigned long x, y, z;
  if (file == NULL) return 1;
  while (fscanf(file, "%lx %lx %lx", &x, &y, &z) == 3) {
    const float value = fmaf(from_bits(x), from_bits(y), from_bits(z));
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    printf("%08lx\n", (unsigned long)bits);
  }
  fclose(file);
  return 0;
}
