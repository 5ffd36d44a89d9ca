#include "ops/mcts/cc/kernels/share_trees.h"

#include <algorithm>
#include <limits>

#include "ops/mcts/cc/kernels/faults.h"
#include "ops/mcts/cc/kernels/search_cpu.h"

namespace lookahead {
namespace mcts {
namespace {

using ::tensorflow::OkStatus;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<float, std::nano>;

// Work of a thread's own for which it is asked to help: much where it must be
// woken, little where it is awake, as calls follow each other.
constexpr float kWorthWaking = 100000.0f;
constexpr float kWorthSharing = 3000.0f;

// How long a helper stays awake for the next call.
constexpr float kPatience = 50000.0f;

constexpr float kMostNanoseconds = 1e9f;  // of a tree that are believed

// Blocks a thread: more share the work more evenly, fewer meet less often.
constexpr int64_t kBlocks = 8;

// The fault of the lowest tree, whichever thread saw it first.
class FirstFault {
 public:
  void Report(int64_t b, Fault fault) {
    int64_t mine = b * 256 + fault, seen = first_.load();
    while (mine < seen && !first_.compare_exchange_weak(seen, mine)) {
    }
  }
  Status Result() const {
    const int64_t first = first_.load();
    if (first == kNone) return OkStatus();
    return ::tensorflow::errors::InvalidArgument(FaultText(first % 256), " (element ", first / 256,
                                                 " of the batch)");
  }

 private:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> first_{kNone};
};

void Learn(Nanoseconds seen, float most, float* lately) {
  *lately += (std::min(seen.count(), most) - *lately) / 8.0f;
}

}  // namespace

int64_t TreeSharing::Shares(OpKernelContext* ctx, int64_t batch) const {
  const float worth = pause_nanoseconds_ < kPatience ? kWorthSharing : kWorthWaking;
  const int64_t shares = static_cast<int64_t>(batch * tree_nanoseconds_ / worth);
  const int64_t threads = ctx->device()->tensorflow_cpu_worker_threads()->num_threads;
  return std::min({shares, threads, batch});
}

void TreeSharing::AskHelpers(OpKernelContext* ctx, int64_t wanted) {
  const bool brisk = pause_nanoseconds_ < kPatience;
  const auto patience = std::chrono::nanoseconds(static_cast<int64_t>(brisk ? kPatience : 0));
  while (helpers_->count.load() < wanted) {
    helpers_->count.fetch_add(1);
    ctx->device()->tensorflow_cpu_worker_threads()->workers->Schedule(
        [helpers = helpers_, patience] {
          helpers->crew.Help(patience);
          helpers->count.fetch_sub(1);
        });
  }
}

// Gives the number of trees that this thread ran.
int64_t TreeSharing::RunTogether(OpKernelContext* ctx, int64_t shares, int64_t batch,
                                 const Range& range) {
  const int64_t size = std::max<int64_t>(1, batch / (kBlocks * shares));
  const Crew::Job job = [&](int64_t block) {
    range(block * size, std::min(batch, (block + 1) * size));
  };
  AskHelpers(ctx, shares - 1);
  return size * helpers_->crew.Run((batch + size - 1) / size, job);
}

void TreeSharing::Run(OpKernelContext* ctx, int64_t batch, const Range& range) {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return range(0, batch);
  const Clock::time_point begin = Clock::now();
  Learn(begin - ended_, 2 * kPatience, &pause_nanoseconds_);
  const int64_t shares = Shares(ctx, batch);
  int64_t mine = batch;
  if (shares > 1) {
    mine = RunTogether(ctx, shares, batch, range);
  } else {
    range(0, batch);
  }
  ended_ = Clock::now();
  if (mine > 0) Learn((ended_ - begin) / mine, kMostNanoseconds, &tree_nanoseconds_);
}

Status TreeSharing::ForEach(OpKernelContext* ctx, int64_t batch, int64_t num_actions,
                            const OneTree& one_tree) {
  FirstFault first;
  const int64_t scratch_size = ScratchSize(num_actions);
  Run(ctx, batch, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<float[]> scratch(new float[scratch_size]);
    for (int64_t b = begin; b < end; ++b) {
      const Fault fault = one_tree(b, scratch.get());
      if (fault != kNoFault) first.Report(b, fault);
    }
  });
  return first.Result();
}

}  // namespace mcts
}  // namespace lookahead
