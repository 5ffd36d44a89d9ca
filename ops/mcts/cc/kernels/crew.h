// Threads that work on one job after another, free of TensorFlow.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_CREW_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_CREW_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

namespace lookahead {
namespace mcts {

// Waking a thread costs more than a step of a search; one that is still awake
// takes its share within a microsecond. So a helper stays for a while when a
// job is done, and looks for the next. Nobody waits for a helper to come: who
// has a job does whatever is not taken.
class Crew {
 public:
  using Job = std::function<void(int64_t part)>;

  // Runs all parts of a job, the caller's from the first on, the helpers' from
  // the last, so that a thread meets the same parts again in the next job. Gives
  // the number of parts that the caller ran. One job at a time; at most 2^31 parts.
  int64_t Run(int64_t parts, const Job& job);

  // A helper's work: parts of jobs, until there has been none for so long.
  void Help(std::chrono::nanoseconds patience);

 private:
  bool Take(bool first, int64_t* part);

  const Job* job_ = nullptr;            // whose parts are open; the caller's
  std::atomic<uint64_t> open_{0};       // parts not taken: the first, and the end << 32
  std::atomic<int64_t> unfinished_{0};  // parts not done
};

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_CREW_H_
