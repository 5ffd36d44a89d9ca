// Tic-tac-toe and connect four: who has so many stones in a row has won.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_IN_A_ROW_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_IN_A_ROW_H_

#include <cstdint>

#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// A bit a cell, with a column more than the board has, which stays empty: no row
// of stones goes on at the board's other side.
class InARow {
 public:
  InARow(const Rules& rules, const uint8_t* state)
      : header_(ReadHeader(state)),
        height_(rules.size),
        width_(rules.Width()),
        falling_(rules.game == kConnectFour) {
    for (int player = 0; player < 2; ++player) {
      const uint8_t* stones = StonesOf(rules, state, player);
      for (int cell = 0; cell < rules.Cells(); ++cell) {
        stones_[player] |= static_cast<uint64_t>(stones[cell] & 1) << BitOf(cell);
      }
    }
  }

  const Header& header() const { return header_; }

  bool IsLegal(int action) const {
    if (action < 0 || action >= NumActions()) return false;
    const int cell = falling_ ? (height_ - 1) * width_ + action : action;
    return !((stones_[0] | stones_[1]) >> BitOf(cell) & 1);
  }

  void Legal(bool* legal) const {
    for (int action = 0; action < NumActions(); ++action) legal[action] = IsLegal(action);
  }

  // The legal actions; gives how many. There is one unless the board is full.
  int Actions(int* actions) const {
    int count = 0;
    for (int action = 0; action < NumActions(); ++action) {
      if (IsLegal(action)) actions[count++] = action;
    }
    return count;
  }

  void Play(int action) {
    const int player = header_.to_play();
    int bit = BitOf(action);
    while ((stones_[0] | stones_[1]) >> bit & 1) bit += width_ + 1;  // Of a column: up.
    stones_[player] |= uint64_t{1} << bit;
    ++header_.moves;
    if (HasRow(stones_[player])) {
      header_.End(player == 0 ? 1 : -1);
    } else if (IsFull()) {
      header_.End(0);
    }
  }

  // Sets the newest bit of each stone's byte, in states whose newest bits are 0.
  void Store(const Rules& rules, uint8_t* state) const {
    for (int player = 0; player < 2; ++player) {
      uint8_t* stones = StonesOf(rules, state, player);
      for (int cell = 0; cell < rules.Cells(); ++cell) {
        stones[cell] |= stones_[player] >> BitOf(cell) & 1;
      }
    }
  }

 private:
  int NumActions() const { return falling_ ? width_ : height_ * width_; }
  int BitOf(int cell) const { return cell + cell / width_; }

  bool IsFull() const {
    int action = 0;
    while (action < NumActions() && !IsLegal(action)) ++action;
    return action == NumActions();
  }

  bool HasRow(uint64_t stones) const {
    const int length = falling_ ? 4 : 3;
    for (int step : {1, width_, width_ + 1, width_ + 2}) {
      uint64_t row = stones;
      for (int k = 1; k < length; ++k) row &= stones >> (k * step);
      if (row != 0) return true;
    }
    return false;
  }

  Header header_;
  int height_, width_;
  bool falling_;
  uint64_t stones_[2] = {0, 0};
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_IN_A_ROW_H_
