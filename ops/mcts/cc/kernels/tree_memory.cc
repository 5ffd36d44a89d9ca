#include "ops/mcts/cc/kernels/tree_memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

namespace lookahead {
namespace mcts {
namespace {

constexpr size_t kHugePage = size_t{1} << 21;
constexpr size_t kCacheLine = 64;
constexpr size_t kMostBlocks = 16;  // a search takes one for each of its large tensors
constexpr size_t kMostBytes = size_t{1} << 30;

struct Block {
  void* start;
  size_t size;
};

// Tells the system about whole huge pages: a hint, which may be refused.
void Advise(const Block& block, int advice) {
#ifdef __linux__
  if (block.size >= kHugePage) madvise(block.start, block.size & ~(kHugePage - 1), advice);
#else
  (void)block;
  (void)advice;
#endif
}

void* NewBlock(size_t size) {
  void* start = nullptr;
  if (posix_memalign(&start, size < kHugePage ? kCacheLine : kHugePage, size) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  Advise({start, size}, MADV_HUGEPAGE);
#endif
  return start;
}

class Recycler : public tensorflow::Allocator {
 public:
  std::string Name() override { return "lookahead_mcts_trees"; }

  void* AllocateRaw(size_t, size_t size) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    Block block = Kept(size);
    if (block.start == nullptr) block = {NewBlock(size), size};
    if (block.start != nullptr) used_[block.start] = block.size;
    return block.start;
  }

  void DeallocateRaw(void* start) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = used_.find(start);
    const Block block = {start, found->second};
    used_.erase(found);
#ifdef MADV_FREE
    Advise(block, MADV_FREE);
#endif
    kept_.push_front(block);
    kept_bytes_ += block.size;
    while (kept_.size() > kMostBlocks || kept_bytes_ > kMostBytes) DropOldest();
  }

 private:
  // A kept block of that size or slightly more; without one, null.
  Block Kept(size_t size) {
    const auto fits = [size](const Block& b) {
      return b.size >= size && b.size - size <= size / 4;
    };
    const auto found = std::find_if(kept_.begin(), kept_.end(), fits);
    if (found == kept_.end()) return {nullptr, 0};
    const Block block = *found;
    kept_.erase(found);
    kept_bytes_ -= block.size;
    return block;
  }

  void DropOldest() {
    kept_bytes_ -= kept_.back().size;
    std::free(kept_.back().start);
    kept_.pop_back();
  }

  std::mutex mutex_;
  std::unordered_map<void*, size_t> used_;
  std::deque<Block> kept_;  // the newest first
  size_t kept_bytes_ = 0;
};

}  // namespace

tensorflow::Allocator* TreeMemory() {
  static Recycler* const recycler = new Recycler;  // outlives every tensor
  return recycler;
}

}  // namespace mcts
}  // namespace lookahead
