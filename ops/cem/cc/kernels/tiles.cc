#include "ops/cem/cc/kernels/tiles.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace lookahead {
namespace cem {

int64_t CountTiles(const Kernels& kernels, int64_t vectors, int64_t threads) {
  int64_t best = 0;
  double least = INFINITY;
  for (int64_t most = 3; most >= 1; --most) {
    const int64_t rounds = Parts(Parts(vectors, most), threads);
    if (rounds * kernels.cost[most] < least) {
      best = rounds * threads;
      least = rounds * kernels.cost[most];
    }
  }
  return std::min(best, vectors);
}

void ForEachTile(const Threads& threads, int64_t tiles, int64_t cycles_each, int64_t scratch_floats,
                 const std::function<void(int64_t, float*)>& work) {
  const int64_t workers = std::min(threads.count, tiles);
  if (workers == 0) return;
  std::atomic<int64_t> next{0};
  const auto take = [&](int64_t, int64_t) {
    const Scratch scratch = MakeScratch(scratch_floats);
    for (int64_t tile = next++; tile < tiles; tile = next++) work(tile, scratch.get());
  };
  threads.parallel_for(workers, cycles_each * tiles / workers, take);
}

}  // namespace cem
}  // namespace lookahead
