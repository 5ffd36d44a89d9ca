#include "ops/mcts/cc/kernels/share_trees.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <thread>

#include "ops/mcts/cc/kernels/faults.h"
#include "ops/mcts/cc/kernels/search_cpu.h"

namespace lookahead {
namespace mcts {
namespace {

using ::tensorflow::OkStatus;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;

// Nanoseconds of work for which another thread is asked to help: waking one costs about as much.
constexpr float kWorthAThread = 100000.0f;

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

// Trees [0, total), which threads take in blocks until none is left. A thread
// that comes when all are taken touches nothing but the counters, so the caller
// waits for blocks that are being worked on, never for a thread to wake up.
class Blocks {
 public:
  using Range = std::function<void(int64_t begin, int64_t end)>;

  Blocks(int64_t total, int64_t size, const Range* range)
      : total_(total), size_(size), range_(range), left_(total) {}

  // Gives the number of trees that this thread ran.
  int64_t Run() {
    int64_t mine = 0;
    for (;;) {
      const int64_t begin = next_.fetch_add(size_, std::memory_order_relaxed);
      if (begin >= total_) return mine;
      const int64_t end = std::min(begin + size_, total_);
      (*range_)(begin, end);
      mine += end - begin;
      left_.fetch_sub(end - begin, std::memory_order_release);
    }
  }

  void Wait() const {
    while (left_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }

 private:
  const int64_t total_;
  const int64_t size_;
  const Range* const range_;  // the caller's
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> left_;
};

int64_t RunOn(const ::tensorflow::DeviceBase::CpuWorkerThreads& threads, int64_t shares,
              int64_t batch, const Blocks::Range& range) {
  if (shares <= 1) {
    range(0, batch);
    return batch;
  }
  const int64_t size = std::max<int64_t>(1, batch / (4 * shares));
  const auto blocks = std::make_shared<Blocks>(batch, size, &range);
  for (int64_t i = 1; i < shares; ++i) threads.workers->Schedule([blocks] { blocks->Run(); });
  const int64_t mine = blocks->Run();
  blocks->Wait();
  return mine;
}

}  // namespace

Status TreeSharing::ForEach(OpKernelContext* ctx, int64_t batch, int64_t num_actions,
                            const OneTree& one_tree) {
  FirstFault first;
  const int64_t scratch_size = ScratchSize(num_actions);
  const Blocks::Range range = [&](int64_t begin, int64_t end) {
    const std::unique_ptr<float[]> scratch(new float[scratch_size]);
    for (int64_t b = begin; b < end; ++b) {
      const Fault fault = one_tree(b, scratch.get());
      if (fault != kNoFault) first.Report(b, fault);
    }
  };
  const auto& threads = *ctx->device()->tensorflow_cpu_worker_threads();
  const float lately = nanoseconds_.load(std::memory_order_relaxed);
  const int64_t worth = static_cast<int64_t>(batch * lately / kWorthAThread);
  const int64_t shares = std::min<int64_t>({worth, threads.num_threads, batch});
  const auto begin = std::chrono::steady_clock::now();
  const int64_t mine = RunOn(threads, shares, batch, range);
  const std::chrono::duration<float, std::nano> spent = std::chrono::steady_clock::now() - begin;
  if (mine > 0) {
    const float now = std::min(spent.count() / mine, 1e9f);
    nanoseconds_.store(lately + (now - lately) / 8.0f, std::memory_order_relaxed);
  }
  return first.Result();
}

}  // namespace mcts
}  // namespace lookahead
