// Stones, chains and liberties of Go: a board that is set up once and then played
// on. It knows nothing of whose turn it is, of ko, or of the game's end.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_BOARD_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_BOARD_H_

#include <cstdint>

#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// A point is an index into a board with walls: a row above and below, and a
// column that stands left of each row and right of the one before.
//
// A chain is named by one of its points; 0, which is a wall, stands for none. It
// counts its liberties once for each neighbouring stone, and keeps the sum of these
// points and of their squares: they are all the same point just where
// count · squares = sum², so nobody has to look for them.
class GoBoard {
 public:
  static constexpr int kMaxPoints = (kMaxGoSize + 2) * (kMaxGoSize + 1) + 1;
  enum Colour : uint8_t { kEmpty, kFirst, kSecond, kWall };

  // Bit 0 of each cell's byte is a stone.
  GoBoard(int size, const uint8_t* first, const uint8_t* second);

  // A hash of where which stones stand; 0 for the empty board.
  uint64_t hash() const { return hash_; }

  int PointOf(int cell) const { return (cell / size_ + 1) * stride_ + cell % size_ + 1; }
  Colour ColourAt(int point) const { return static_cast<Colour>(colour_[point]); }

  // Writes the empty points, at most kMaxPoints; gives how many.
  int ListEmpty(uint16_t* points) const;

  // What a stone on an empty point would do.
  struct Try {
    bool stands;     // it or its chain keeps a liberty, others taken
    bool connected;  // it has a neighbour of its own colour
    uint64_t hash;   // of the board afterwards, all without a liberty taken
  };
  Try TryAt(int point, Colour colour) const;

  // The same for all points at once, but for the hash where something is taken: what
  // neighbours do for a stone of that colour, in bits.
  enum Side : uint8_t { kHelps = 1, kIsTaken = 2, kConnects = 4 };
  void SidesOf(Colour colour, uint8_t* sides) const;
  uint64_t HashWith(int point, Colour colour) const;

  // Puts a stone on an empty point, and takes what has no liberty: the other's
  // chains, then its own. The points that were taken are `taken(0)` and so on.
  void Play(int point, Colour colour);
  int num_taken() const { return num_taken_; }
  int taken(int i) const { return taken_[i]; }

  // Whether the point, empty, is an eye that its owner should not fill: all
  // neighbours are own stones or walls, and the corners cannot be cut.
  bool IsEye(int point, Colour colour) const;

  // Tromp-Taylor: stones and empty regions that only one colour reaches, the
  // first player's less the second's.
  int AreaAhead() const;

  // Adds the stones to bit 0 of each cell's byte, where it is 0.
  void Store(uint8_t* first, uint8_t* second) const;

 private:
  // Of liberties: their number, their sum and that of their squares, in 11, 20 and 28
  // bits of one number, so that one addition does for all three.
  using Liberties = uint64_t;
  static Liberties LibertyAt(uint64_t point) {
    return uint64_t{1} << 48 | point << 28 | point * point;
  }
  // Whether there is one point of them at most.
  static bool AreOne(Liberties liberties) {
    const uint64_t count = liberties >> 48, sum = liberties >> 28 & 0xfffff;
    return count * (liberties & 0xfffffff) == sum * sum;
  }

  struct Chain {
    uint64_t hash;
    Liberties liberties;
    uint32_t stones;
  };

  int NumPoints() const { return (size_ + 2) * stride_ + 1; }
  bool IsStone(int point) const { return colour_[point] == kFirst || colour_[point] == kSecond; }
  void MakeChains();
  void AddStone(int point, Liberties liberties);
  void StartChain(int point, uint64_t key, Liberties liberties);
  void Join(int one, int other);
  void Take(int chain);

  int size_, stride_;
  int ways_[4];
  uint64_t hash_ = 0;
  int num_taken_ = 0;
  uint8_t colour_[kMaxPoints];
  uint16_t chain_[kMaxPoints];  // of a stone; else 0
  uint16_t next_[kMaxPoints];   // the chain's next stone, in a ring
  uint16_t taken_[kMaxPoints];
  Chain chains_[kMaxPoints];
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_BOARD_H_
