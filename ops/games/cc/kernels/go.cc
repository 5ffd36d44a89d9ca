#include "ops/games/cc/kernels/go.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lookahead {
namespace games {
namespace {

// Boards that may not come back. A filter answers nearly always; only where its
// bit is set are the hashes themselves looked through.
class Past {
 public:
  Past(const uint8_t* hashes, int count) : hashes_(hashes), count_(count) {
    int words = kFewest;
    while (words < kMost && words < count) words *= 2;  // 64 bits a hash
    mask_ = words - 1;
    std::memset(filter_, 0, words * sizeof(filter_[0]));
    for (int i = 0; i < count; ++i) {
      const uint64_t hash = At(i);
      filter_[hash >> 6 & mask_] |= uint64_t{1} << (hash & 63);
    }
  }

  bool Has(uint64_t hash) const {
    return (filter_[hash >> 6 & mask_] >> (hash & 63) & 1) && Find(hashes_, count_, hash);
  }

  static bool Find(const uint8_t* hashes, int count, uint64_t hash) {
    uint64_t found = 0;
    for (int i = 0; i < count; ++i) {
      uint64_t other;
      std::memcpy(&other, hashes + 8 * i, 8);
      found |= other == hash;
    }
    return found != 0;
  }

 private:
  static constexpr int kFewest = 8, kMost = 1024;

  uint64_t At(int i) const {
    uint64_t hash;
    std::memcpy(&hash, hashes_ + 8 * i, 8);
    return hash;
  }

  const uint8_t* hashes_;
  int count_;
  uint64_t mask_;
  uint64_t filter_[kMost];
};

int NumPast(const Rules& rules, int moves) { return std::min(moves, rules.NumHashes()); }

}  // namespace

bool Go::IsLegal(int action) const {
  const int cells = rules_.Cells();
  if (action < 0 || action > cells) return false;
  if (action == cells) return true;
  const int point = board_.PointOf(action);
  if (board_.ColourAt(point) != GoBoard::kEmpty) return false;
  const GoBoard::Try found = board_.TryAt(point, mover());
  return Stays(rules_, found) && !Past::Find(hashes_, NumPast(rules_, header_.moves), found.hash);
}

void Go::Legal(bool* legal) const {
  const Past past(hashes_, NumPast(rules_, header_.moves));
  const GoBoard::Colour colour = mover();
  uint8_t sides[GoBoard::kMaxPoints];
  board_.SidesOf(colour, sides);
  bool at[GoBoard::kMaxPoints] = {};
  uint16_t empty[GoBoard::kMaxPoints];
  const int num_empty = board_.ListEmpty(empty);
  for (int i = 0; i < num_empty; ++i) {
    const int point = empty[i];
    bool stays = sides[point] & GoBoard::kHelps;
    uint64_t hash = board_.HashWith(point, colour);
    if (sides[point] & GoBoard::kIsTaken || (rules_.suicide && !stays)) {
      const GoBoard::Try found = board_.TryAt(point, colour);
      stays = Stays(rules_, found);
      hash = found.hash;
    }
    at[point] = stays && !past.Has(hash);
  }
  for (int cell = 0; cell < rules_.Cells(); cell += rules_.size) {
    std::copy_n(at + board_.PointOf(cell), rules_.size, legal + cell);
  }
  legal[rules_.Cells()] = true;
}

void Go::Play(int action) {
  last_hash_ = board_.hash();
  const bool passes = action == rules_.Cells();
  if (!passes) board_.Play(board_.PointOf(action), mover());
  Advance(rules_, board_, passes, &header_);
}

void Go::Advance(const Rules& rules, const GoBoard& board, bool passed, Header* header) {
  ++header->moves;
  header->passes = passed ? header->passes + 1 : 0;
  if (header->passes < 2 && header->moves < rules.max_moves) return;
  header->End(board.AreaAhead() - static_cast<double>(rules.komi));
}

uint64_t Go::KoHash() const {
  uint64_t hash = 0;
  const int past = NumPast(rules_, header_.moves);
  if (past > 0) std::memcpy(&hash, hashes_ + 8 * (past - 1), 8);
  return hash;
}

void Go::Store(const Rules& rules, uint8_t* state) {
  board_.Store(StonesOf(rules, state, 0), StonesOf(rules, state, 1));
  uint8_t* hashes = state + rules.HashesAt();
  const int slot = std::min(header_.moves, rules.NumHashes()) - 1;
  std::memcpy(hashes + 8 * slot, &last_hash_, 8);
  hashes_ = hashes;
}

void Go::PlayOut(Random* random) {
  uint16_t empty[GoBoard::kMaxPoints];
  int num_empty = board_.ListEmpty(empty);
  last_hash_ = KoHash();
  while (!header_.over()) {
    const GoBoard::Colour colour = mover();
    const uint64_t before = board_.hash();
    int left = num_empty;
    for (; left > 0; --left) {
      const int i = random->Below(left), point = empty[i];
      std::swap(empty[i], empty[left - 1]);
      if (board_.IsEye(point, colour)) continue;
      const GoBoard::Try found = board_.TryAt(point, colour);
      if (!Stays(rules_, found) || found.hash == last_hash_) continue;
      board_.Play(point, colour);
      empty[left - 1] = empty[--num_empty];
      for (int taken = 0; taken < board_.num_taken(); ++taken) {
        empty[num_empty++] = static_cast<uint16_t>(board_.taken(taken));
      }
      break;
    }
    last_hash_ = before;
    Advance(rules_, board_, left == 0, &header_);
  }
}

}  // namespace games
}  // namespace lookahead
