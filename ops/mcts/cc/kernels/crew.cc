#include "ops/mcts/cc/kernels/crew.h"

#include <thread>

namespace lookahead {
namespace mcts {

using Clock = std::chrono::steady_clock;

// A part is taken by changing `open_`, which succeeds for parts of the running
// job alone, whatever was read before: the job cannot end before they are done.
bool Crew::Take(bool first, int64_t* part) {
  uint64_t open = open_.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t begin = open & 0xffffffff, end = open >> 32;
    if (begin == end) return false;
    const uint64_t rest = first ? (begin + 1) | end << 32 : begin | (end - 1) << 32;
    if (open_.compare_exchange_weak(open, rest, std::memory_order_acquire)) {
      *part = static_cast<int64_t>(first ? begin : end - 1);
      return true;
    }
  }
}

int64_t Crew::Run(int64_t parts, const Job& job) {
  job_ = &job;
  unfinished_.store(parts, std::memory_order_relaxed);
  open_.store(static_cast<uint64_t>(parts) << 32, std::memory_order_release);
  int64_t mine = 0, part;
  for (; Take(true, &part); ++mine) job(part);
  unfinished_.fetch_sub(mine, std::memory_order_relaxed);
  while (unfinished_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  return mine;
}

void Crew::Help(std::chrono::nanoseconds patience) {
  Clock::time_point last = Clock::now();
  for (;;) {
    int64_t part;
    if (Take(false, &part)) {
      (*job_)(part);
      unfinished_.fetch_sub(1, std::memory_order_release);
      last = Clock::now();
    } else if (Clock::now() - last > patience) {
      return;
    }
  }
}

}  // namespace mcts
}  // namespace lookahead
