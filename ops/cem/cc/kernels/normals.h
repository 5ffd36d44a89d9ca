// Standard normal draws of a Philox stream, many at a time, for one instruction set.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_NORMALS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_NORMALS_H_

#include "ops/cem/cc/kernels/elementwise.h"
#include "ops/cem/cc/kernels/philox.h"

namespace lookahead {
namespace cem {
namespace LOOKAHEAD_ISA {

constexpr int64_t kGroups = 64;  // Groups of four words drawn at a time.

// Words of groups `first` … `first + kGroups`, word by word; the loops over groups
// become vector code.
LOOKAHEAD_ALWAYS void DrawWords(const Stream& stream, uint64_t first, uint32_t w[4][kGroups]) {
  for (int64_t i = 0; i < kGroups; ++i) {
    const uint64_t group = first + i;
    w[0][i] = static_cast<uint32_t>(group);
    w[1][i] = static_cast<uint32_t>(group >> 32);
    w[2][i] = stream.counter[2];
    w[3][i] = stream.counter[3];
  }
  uint32_t key0 = stream.key[0], key1 = stream.key[1];
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (int64_t i = 0; i < kGroups; ++i) {
      const uint64_t a = static_cast<uint64_t>(kPhiloxFactorA) * w[0][i];
      const uint64_t b = static_cast<uint64_t>(kPhiloxFactorB) * w[2][i];
      w[0][i] = static_cast<uint32_t>(b >> 32) ^ w[1][i] ^ key0;
      w[2][i] = static_cast<uint32_t>(a >> 32) ^ w[3][i] ^ key1;
      w[1][i] = static_cast<uint32_t>(b);
      w[3][i] = static_cast<uint32_t>(a);
    }
    key0 += kPhiloxStepA;
    key1 += kPhiloxStepB;
  }
}

// [0, 1) from a word's lower 23 bits.
LOOKAHEAD_ALWAYS Floats Uniform(const uint32_t* words) {
  Ints bits;
  __builtin_memcpy(&bits, words, sizeof(bits));
  return FromBits((bits & 0x7fffff) | 0x3f800000) - 1.0f;
}

// Box and Muller's two normals of two words each.
LOOKAHEAD_ALWAYS void Normals(const uint32_t* radius, const uint32_t* angle, float* first,
                              float* second) {
  for (int64_t i = 0; i < kGroups; i += kWidth) {
    const Floats length = Sqrt(-2.0f * Log(AtLeast(Uniform(radius + i), 1e-7f)));
    Floats sine, cosine;
    SinCosOfTurn(Uniform(angle + i), &sine, &cosine);
    Store(first + i, sine * length);
    Store(second + i, cosine * length);
  }
}

// Draws `first` … `first + count` of the stream, as tf.random.stateless_normal's.
static void DrawNormals(const Stream& stream, int64_t first, int64_t count, float* out) {
  uint32_t words[4][kGroups];
  float normals[4][kGroups], drawn[4 * kGroups];
  const int64_t end = first + count;
  for (int64_t group = first / 4; group * 4 < end; group += kGroups) {
    DrawWords(stream, group, words);
    Normals(words[0], words[1], normals[0], normals[1]);
    Normals(words[2], words[3], normals[2], normals[3]);
    const int64_t begin = group * 4 < first ? first : group * 4;
    const int64_t stop = (group + kGroups) * 4 < end ? (group + kGroups) * 4 : end;
    for (int64_t i = 0; i < kGroups; ++i) {
      for (int64_t word = 0; word < 4; ++word) drawn[4 * i + word] = normals[word][i];
    }
    __builtin_memcpy(out + (begin - first), drawn + (begin - group * 4),
                     (stop - begin) * sizeof(float));
  }
}

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_NORMALS_H_
