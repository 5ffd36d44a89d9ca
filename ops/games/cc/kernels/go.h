// Go: whose turn it is, which boards may not come back, when it is over.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_H_

#include <cstdint>

#include "ops/games/cc/kernels/go_board.h"
#include "ops/games/cc/kernels/random.h"
#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// Hashes of boards that may not come back, in a state's bytes. With superko they are
// those after 0, 1, … moves up to the last board but one, else that one alone. The
// present board is not among them, nor need it be: no move but to pass leaves it,
// as one stone alone is never its own suicide.
class Go {
 public:
  Go(const Rules& rules, const uint8_t* state)
      : rules_(rules),
        header_(ReadHeader(state)),
        board_(rules.size, StonesOf(rules, state, 0), StonesOf(rules, state, 1)),
        hashes_(state + rules.HashesAt()) {}

  const Rules& rules() const { return rules_; }
  const Header& header() const { return header_; }
  const GoBoard& board() const { return board_; }
  GoBoard::Colour mover() const {
    return header_.to_play() == 0 ? GoBoard::kFirst : GoBoard::kSecond;
  }

  bool IsLegal(int action) const;
  void Legal(bool* legal) const;

  // The hash of the last board but one, which simple ko forbids.
  uint64_t KoHash() const;

  // After this and before Store, nothing may be asked of the position but its header.
  void Play(int action);

  // Writes what the move has changed into a state that is else the one before, in
  // which the newest bits of the stones are 0; from now on that is read.
  void Store(const Rules& rules, uint8_t* state);

  // Plays on uniformly at random over the moves that fill no eye, and passes where
  // there is none. Only the last board but one may not come back, and hashes are not
  // read. Nothing but the header may be asked for afterwards.
  void PlayOut(Random* random);

  // Counts a move that has led to a board, and ends the game where it is over.
  static void Advance(const Rules& rules, const GoBoard& board, bool passed, Header* header);

  static bool Stays(const Rules& rules, const GoBoard::Try& found) {
    return found.stands || (rules.suicide && found.connected);
  }

 private:
  const Rules& rules_;
  Header header_;
  GoBoard board_;
  const uint8_t* hashes_;
  uint64_t last_hash_ = 0;  // of the board before the move that was played
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_H_
