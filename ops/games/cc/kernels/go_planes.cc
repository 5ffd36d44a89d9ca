#include "ops/games/cc/kernels/go_planes.h"

#include <algorithm>
#include <cstring>

#include "ops/games/cc/kernels/go.h"
#include "ops/games/cc/kernels/go_ladder.h"
#include "ops/games/cc/kernels/go_points.h"

namespace lookahead {
namespace games {
namespace {

// Writes the planes of one position, whose points fit into so many words.
template <int kWords>
class Writer {
 public:
  using Points = GoPoints<kWords>;

  Writer(const Rules& rules, const Go& position, float* planes)
      : position_(position), board_(position.board()), cells_(rules.Cells()), planes_(planes) {
    if (!position.header().over()) position.Legal(legal_);
    std::memset(planes, 0, sizeof(float) * cells_ * kNumGoPlanes);
    for (int cell = 0; cell < cells_; ++cell) {
      if (board_.ColourAt(board_.PointOf(cell)) == GoBoard::kEmpty) {
        empty_.Add(board_.PointOf(cell));
      }
    }
  }

  void Stones(const uint8_t* own, const uint8_t* other) {
    for (int cell = 0; cell < cells_; ++cell) {
      const bool is_own = own[cell] & 1, is_other = other[cell] & 1;
      Set(cell, is_own ? kOwnStone : is_other ? kOtherStone : kNoStone);
      Set(cell, kOnes);
      // As many boards as the stone was on, without a gap.
      if (is_own || is_other) SetNumber(cell, kTurnsSince, Ages(own[cell] | other[cell]));
    }
  }

  void Chains() {
    for (int cell = 0; cell < cells_; ++cell) {
      const int chain = board_.PointOf(cell);
      if (board_.ChainAt(chain) != chain) continue;
      Points& stones = stones_[chain];
      stones = {};
      ForEachStone(chain, [&](int stone) { stones.Add(stone); });
      liberties_[chain] = stones.Neighbours(board_.stride()) & empty_;
      const int count = liberties_[chain].Count();
      ForEachStone(chain, [&](int stone) { SetNumber(board_.CellOf(stone), kLiberties, count); });
    }
  }

  void Moves() {
    for (int cell = 0; cell < cells_; ++cell) {
      if (!legal_[cell]) continue;
      Move(cell);
      if (!board_.IsEye(board_.PointOf(cell), position_.mover())) Set(cell, kSensible);
    }
  }

  void Ladders(int most_moves) {
    GoLadder ladder(most_moves);
    for (int cell = 0; cell < cells_; ++cell) {
      const int chain = board_.PointOf(cell);
      if (board_.ChainAt(chain) != chain) continue;
      if (board_.ColourAt(chain) != position_.mover()) {
        Capture(&ladder, chain);
      } else if (board_.InAtari(chain)) {
        Escape(&ladder, chain);
      }
    }
  }

 private:
  void Set(int cell, int plane) { planes_[cell * kNumGoPlanes + plane] = 1.0f; }
  void SetNumber(int cell, int plane, int number) {
    if (number > 0) Set(cell, plane + std::min(number, 8) - 1);
  }
  static int Ages(int boards) { return __builtin_ctz(~boards); }

  template <typename Visit>
  void ForEachStone(int chain, const Visit& visit) const {
    int stone = chain;
    do {
      visit(stone);
      stone = board_.NextStone(stone);
    } while (stone != chain);
  }

  // What a legal move does.
  void Move(int cell) {
    const int point = board_.PointOf(cell);
    Points one, joined, taken, liberties;
    one.Add(point);
    liberties = one.Neighbours(board_.stride()) & empty_;
    joined = one;
    for (int way = 0; way < 4; ++way) {
      const int next = point + board_.ways()[way], chain = board_.ChainAt(next);
      if (chain == 0) continue;
      if (board_.ColourAt(next) == position_.mover()) {
        joined |= stones_[chain];
        liberties |= liberties_[chain];
      } else if (board_.InAtari(chain)) {
        taken |= stones_[chain];
      }
    }
    liberties.Remove(point);
    const int captured = taken.Count();
    if (captured > 0) liberties |= joined.Neighbours(board_.stride()) & taken;
    const int after = liberties.Count();
    SetNumber(cell, kCaptureSize, captured);
    SetNumber(cell, kLibertiesAfter, after);
    if (after < 2) SetNumber(cell, kSelfAtariSize, joined.Count());
  }

  void Capture(GoLadder* ladder, int chain) {
    if (liberties_[chain].Count() != 2) return;
    int points[2];
    const int count = board_.FindLiberties(chain, 2, points);
    for (int i = 0; i < count; ++i) {
      const int cell = board_.CellOf(points[i]);
      if (legal_[cell] && ladder->Captures(board_, chain, points[i])) Set(cell, kLadderCapture);
    }
  }

  void Escape(GoLadder* ladder, int chain) {
    int points[GoLadder::kMostWays];
    const int count = GoLadder::WaysOut(board_, chain, points);
    for (int i = 0; i < count; ++i) {
      const int cell = board_.CellOf(points[i]);
      if (legal_[cell] && ladder->Saves(board_, chain, points[i])) Set(cell, kLadderEscape);
    }
  }

  const Go& position_;
  const GoBoard& board_;
  const int cells_;
  float* planes_;
  bool legal_[kMaxGoSize * kMaxGoSize + 1] = {};
  Points empty_;
  Points stones_[64 * kWords], liberties_[64 * kWords];  // of chains
};

template <int kWords>
void Write(const Rules& rules, const uint8_t* state, int ladder_moves, float* planes) {
  const Go position(rules, state);
  const int player = position.header().to_play();
  Writer<kWords> writer(rules, position, planes);
  writer.Stones(StonesOf(rules, state, player), StonesOf(rules, state, 1 - player));
  writer.Chains();
  writer.Moves();
  if (ladder_moves > 0) writer.Ladders(ladder_moves);
}

}  // namespace

void WriteGoPlanes(const Rules& rules, const uint8_t* state, int ladder_moves, float* planes) {
  const int points = (rules.size + 2) * (rules.size + 1) + 1;
  const auto write = points <= 128 ? Write<2> : points <= 256 ? Write<4> : Write<7>;
  write(rules, state, ladder_moves, planes);
}

}  // namespace games
}  // namespace lookahead
