// TensorFlow's stateless normal draws, number for number: Philox4x32-10 (Salmon
// et al. 2011) with the keys of tf.random.stateless_normal. Shared by CPU and
// CUDA; the Box-Muller step stands where each device computes it.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_PHILOX_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_PHILOX_H_

#include <cstdint>

#if defined(__CUDACC__)
#define LOOKAHEAD_SHARED __host__ __device__ static inline
#else
#define LOOKAHEAD_SHARED static inline  // A copy a file: each for its instruction set.
#endif

namespace lookahead {
namespace cem {

constexpr uint32_t kPhiloxFactorA = 0xD2511F53, kPhiloxFactorB = 0xCD9E8D57;
constexpr uint32_t kPhiloxStepA = 0x9E3779B9, kPhiloxStepB = 0xBB67AE85;
constexpr int kPhiloxRounds = 10;

struct Words {
  uint32_t w[4];
};

// A sequence of groups of four words; group g stands at counter + g.
struct Stream {
  uint32_t key[2];
  uint32_t counter[4];
};

// Two 32-bit numbers, what TensorFlow calls a seed.
struct Seed {
  int32_t s[2];
};

LOOKAHEAD_SHARED Words Philox(Words c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t a = static_cast<uint64_t>(kPhiloxFactorA) * c.w[0];
    const uint64_t b = static_cast<uint64_t>(kPhiloxFactorB) * c.w[2];
    c = {{static_cast<uint32_t>(b >> 32) ^ c.w[1] ^ key0, static_cast<uint32_t>(b),
          static_cast<uint32_t>(a >> 32) ^ c.w[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += kPhiloxStepA;
    key1 += kPhiloxStepB;
  }
  return c;
}

// TensorFlow scrambles a seed by one Philox draw of its own. The lower half of
// the counter starts at 0, so a group's index never carries into the upper.
LOOKAHEAD_SHARED Stream StreamOf(Seed seed) {
  const uint32_t sign0 = seed.s[0] < 0 ? 0xffffffffu : 0u;
  const uint32_t sign1 = seed.s[1] < 0 ? 0xffffffffu : 0u;
  const Words words = {
      {static_cast<uint32_t>(seed.s[0]), sign0, static_cast<uint32_t>(seed.s[1]), sign1}};
  const Words mix = Philox(words, 0x3ec8f720, 0x02461e29);
  return {{mix.w[0], mix.w[1]}, {0, 0, mix.w[2], mix.w[3]}};
}

LOOKAHEAD_SHARED Words GroupOf(const Stream& stream, uint64_t group) {
  const Words counter = {{static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32),
                          stream.counter[2], stream.counter[3]}};
  return Philox(counter, stream.key[0], stream.key[1]);
}

// As optimize.py's iteration_seeds: stateless_split(stateless_fold_in(seed,
// iteration), 2), the seeds of the candidates and of their latents.
LOOKAHEAD_SHARED void IterationSeeds(Seed seed, int32_t iteration, Seed* actions, Seed* latents) {
  const Words first = GroupOf(StreamOf(seed), 0);
  const Seed folded = {{static_cast<int32_t>(first.w[0]), iteration}};
  const Words split = GroupOf(StreamOf(folded), 0);
  *actions = {{static_cast<int32_t>(split.w[0]), static_cast<int32_t>(split.w[1])}};
  *latents = {{static_cast<int32_t>(split.w[2]), static_cast<int32_t>(split.w[3])}};
}

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_PHILOX_H_
