// Sets of points of a Go board, a bit each.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_POINTS_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_POINTS_H_

#include <cstdint>

namespace lookahead {
namespace games {

// Points below 64 · kWords, as GoBoard counts them.
template <int kWords>
struct GoPoints {
  uint64_t words[kWords] = {};

  void Add(int point) { words[point >> 6] |= uint64_t{1} << (point & 63); }
  void Remove(int point) { words[point >> 6] &= ~(uint64_t{1} << (point & 63)); }

  int Count() const {
    int count = 0;
    for (uint64_t word : words) count += __builtin_popcountll(word);
    return count;
  }

  GoPoints& operator|=(const GoPoints& other) {
    for (int i = 0; i < kWords; ++i) words[i] |= other.words[i];
    return *this;
  }
  GoPoints operator&(const GoPoints& other) const {
    GoPoints both;
    for (int i = 0; i < kWords; ++i) both.words[i] = words[i] & other.words[i];
    return both;
  }

  // All points beside one of them, walls included; strides are below 64.
  GoPoints Neighbours(int stride) const {
    GoPoints near;
    for (int i = 0; i < kWords; ++i) {
      const uint64_t here = words[i];
      const uint64_t below = i > 0 ? words[i - 1] : 0, above = i + 1 < kWords ? words[i + 1] : 0;
      for (int way : {1, stride}) {
        near.words[i] |= here << way | below >> (64 - way);
        near.words[i] |= here >> way | above << (64 - way);
      }
    }
    return near;
  }
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_POINTS_H_
