// Othello, on 6 or 8 rows.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_OTHELLO_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_OTHELLO_H_

#include <cstdint>

#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// A bit a cell, row by row.
class Othello {
 public:
  Othello(const Rules& rules, const uint8_t* state)
      : header_(ReadHeader(state)), size_(rules.size), cells_(rules.Cells()) {
    for (int player = 0; player < 2; ++player) {
      const uint8_t* discs = StonesOf(rules, state, player);
      for (int cell = 0; cell < cells_; ++cell) {
        discs_[player] |= static_cast<uint64_t>(discs[cell] & 1) << cell;
      }
    }
    const uint64_t board = ~uint64_t{0} >> (64 - cells_);
    uint64_t left = 0;
    for (int row = 0; row < size_; ++row) left |= uint64_t{1} << (row * size_);
    board_ = board;
    not_left_ = board & ~left;
    not_right_ = board & ~(left << (size_ - 1));
    places_ = Places(header_.to_play());
  }

  const Header& header() const { return header_; }

  bool IsLegal(int action) const {
    if (action < 0 || action > cells_) return false;
    return action == cells_ ? places_ == 0 : places_ >> action & 1;
  }

  void Legal(bool* legal) const {
    for (int cell = 0; cell < cells_; ++cell) legal[cell] = places_ >> cell & 1;
    legal[cells_] = places_ == 0;
  }

  // The legal actions; gives how many, at least one.
  int Actions(int* actions) const {
    if (places_ == 0) {
      actions[0] = cells_;
      return 1;
    }
    int count = 0;
    for (uint64_t left = places_; left != 0; left &= left - 1) {
      actions[count++] = __builtin_ctzll(left);
    }
    return count;
  }

  void Play(int action) {
    const int player = header_.to_play();
    if (action < cells_) {
      const uint64_t turned = Turned(player, uint64_t{1} << action);
      discs_[player] |= turned | uint64_t{1} << action;
      discs_[1 - player] &= ~turned;
    }
    ++header_.moves;
    places_ = Places(1 - player);
    if (places_ == 0 && Places(player) == 0) {
      header_.End(__builtin_popcountll(discs_[0]) - __builtin_popcountll(discs_[1]));
    }
  }

  // Sets the newest bit of each disc's byte, in states whose newest bits are 0.
  void Store(const Rules& rules, uint8_t* state) const {
    for (int player = 0; player < 2; ++player) {
      uint8_t* discs = StonesOf(rules, state, player);
      for (int cell = 0; cell < cells_; ++cell) discs[cell] |= discs_[player] >> cell & 1;
    }
  }

 private:
  static constexpr int kWays = 8;

  // The cells one step away from each of `cells`, in one of eight ways.
  uint64_t Moved(uint64_t cells, int way) const {
    switch (way) {
      case 0:
        return cells << 1 & not_left_;
      case 1:
        return cells >> 1 & not_right_;
      case 2:
        return cells << size_ & board_;
      case 3:
        return cells >> size_;
      case 4:
        return cells << (size_ + 1) & not_left_;
      case 5:
        return cells >> (size_ + 1) & not_right_;
      case 6:
        return cells << (size_ - 1) & not_right_;
      default:
        return cells >> (size_ - 1) & not_left_;
    }
  }

  // The other player's discs in unbroken runs that begin beside `cells`.
  uint64_t Run(uint64_t cells, uint64_t others, int way) const {
    uint64_t run = Moved(cells, way) & others;
    for (int k = 0; k < size_ - 3; ++k) run |= Moved(run, way) & others;
    return run;
  }

  // Empty cells where a disc of the player's turns others.
  uint64_t Places(int player) const {
    const uint64_t own = discs_[player], others = discs_[1 - player];
    uint64_t ends = 0;
    for (int way = 0; way < kWays; ++way) ends |= Moved(Run(own, others, way), way);
    return ends & ~(own | others);
  }

  // What a disc of the player's on `cell`, a bit, turns.
  uint64_t Turned(int player, uint64_t cell) const {
    uint64_t turned = 0;
    for (int way = 0; way < kWays; ++way) {
      const uint64_t run = Run(cell, discs_[1 - player], way);
      if (Moved(run, way) & discs_[player]) turned |= run;
    }
    return turned;
  }

  Header header_;
  int size_, cells_;
  uint64_t discs_[2] = {0, 0};
  uint64_t board_, not_left_, not_right_;
  uint64_t places_;  // of the player to move
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_OTHELLO_H_
