// Random numbers for rollouts: SplitMix64 (Steele, Lea, Flood 2014), a counter
// through a mixing function, which also makes Go's hash keys.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_RANDOM_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_RANDOM_H_

#include <cstdint>

namespace lookahead {
namespace games {

constexpr uint64_t Mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Random {
 public:
  // A stream of its own for each row of a batch.
  Random(uint64_t seed, uint64_t row) : state_(Mixed(seed + kStep) ^ Mixed(row + 1)) {}

  // Uniform over 0 to limit - 1, but for 2^-32 of bias a value; limit below 2^31.
  int Below(int limit) {
    state_ += kStep;
    return static_cast<int>((Mixed(state_) >> 32) * static_cast<uint64_t>(limit) >> 32);
  }

  // Uniform over [0, 1).
  double Unit() {
    state_ += kStep;
    return static_cast<double>(Mixed(state_) >> 11) * 0x1p-53;
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

  uint64_t state_;
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_RANDOM_H_
