// Ladders, read out move by move: a chain that is chased from atari to atari.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_LADDER_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_LADDER_H_

#include <algorithm>
#include <utility>

#include "ops/games/cc/kernels/go_board.h"

namespace lookahead {
namespace games {

// Reads one question after the other, each with so many moves at most; what they do
// not settle counts as no. The chaser tries both liberties of a chain that has two;
// its owner extends, or takes a chasing chain that is in atari. A chain with three
// liberties has escaped. Ko is not heeded.
class GoLadder {
 public:
  explicit GoLadder(int most_moves) : most_moves_(most_moves) {}

  // Whether a chaser's stone on `point`, one of two liberties of the stone's chain,
  // takes that chain in the end.
  bool Captures(const GoBoard& board, int stone, int point) {
    Begin();
    return Chase(board, stone, point) && left_ >= 0;
  }

  // Whether the owner's stone on `point` saves the stone's chain, which is in atari.
  bool Saves(const GoBoard& board, int stone, int point) {
    Begin();
    return Escapes(board, stone, point) && left_ >= 0;
  }

  // Points where the owner of a chain in atari may save it: its liberty, then those of
  // adjacent chains in atari, in their order. At most kMostWays are written.
  static constexpr int kMostWays = 24;
  static int WaysOut(const GoBoard& board, int chain, int* points);

 private:
  // Answers are of no worth once `left_` is below 0.
  void Begin() { left_ = most_moves_; }
  bool Spend() { return --left_ >= 0; }

  // Whether the chaser should rather try `one`: the owner would get more room there, or it
  // is further from the edge.
  static bool IsWider(const GoBoard& board, GoBoard::Colour owner, int one, int other);

  bool Chase(const GoBoard& board, int stone, int point);
  bool IsCaught(const GoBoard& board, int stone);
  bool Escapes(const GoBoard& board, int stone, int point);

  int most_moves_;
  int left_ = 0;
};

inline bool GoLadder::IsWider(const GoBoard& board, GoBoard::Colour owner, int one, int other) {
  const int room = board.LibertiesAfter(one, owner, 4);
  const int other_room = board.LibertiesAfter(other, owner, 4);
  if (room != other_room) return room > other_room;
  const auto from_edge = [&board](int point) {
    const int stride = board.stride(), row = point / stride, column = point % stride;
    return std::min(std::min(row, column), std::min(stride - row, stride - column));
  };
  if (from_edge(one) != from_edge(other)) return from_edge(one) > from_edge(other);
  return one < other;
}

inline int GoLadder::WaysOut(const GoBoard& board, int chain, int* points) {
  const GoBoard::Colour chaser = GoBoard::Other(board.ColourAt(chain));
  int count = 0;
  const auto add = [&](int point) {
    if (point == 0 || count == kMostWays) return;
    if (std::find(points, points + count, point) == points + count) points[count++] = point;
  };
  add(board.OnlyLiberty(chain));
  int stone = chain;
  do {
    for (int i = 0; i < 4; ++i) {
      const int next = stone + board.ways()[i], beside = board.ChainAt(next);
      if (board.ColourAt(next) == chaser && board.InAtari(beside)) add(board.OnlyLiberty(beside));
    }
    stone = board.NextStone(stone);
  } while (stone != chain);
  if (count > 1) std::sort(points + 1, points + count);
  return count;
}

inline bool GoLadder::Chase(const GoBoard& board, int stone, int point) {
  const GoBoard::Colour prey = board.ColourAt(stone), chaser = GoBoard::Other(prey);
  if (!board.TryAt(point, chaser).stands || !Spend()) return false;
  GoBoard after(board);
  after.Play(point, chaser);
  return after.ColourAt(stone) != prey || IsCaught(after, stone);
}

inline bool GoLadder::IsCaught(const GoBoard& board, int stone) {
  const int chain = board.ChainAt(stone);
  if (!board.InAtari(chain)) return false;
  int points[kMostWays];
  const int count = WaysOut(board, chain, points);
  for (int i = 0; i < count; ++i) {
    if (Escapes(board, stone, points[i])) return false;
  }
  return true;
}

inline bool GoLadder::Escapes(const GoBoard& board, int stone, int point) {
  const GoBoard::Colour owner = board.ColourAt(stone);
  if (!board.TryAt(point, owner).stands) return false;
  if (!Spend()) return true;
  GoBoard after(board);
  after.Play(point, owner);
  int liberties[3];
  const int count = after.FindLiberties(after.ChainAt(stone), 3, liberties);
  if (count != 2) return count == 3;
  if (!IsWider(after, owner, liberties[0], liberties[1])) std::swap(liberties[0], liberties[1]);
  return !Chase(after, stone, liberties[0]) && !Chase(after, stone, liberties[1]);
}

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_LADDER_H_
