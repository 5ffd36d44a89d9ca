// The games under a sanitizer, without TensorFlow: random games of random rules, and
// states of garbage. Memory is allocated to the byte, so that any access beyond it
// is seen.
//
//   games_fuzz SEED ROUNDS     prints what it ran; 1 where a game does not go by its rules
//
// tests/ops/games/sanitizers_test.py and ops/games/README.md say how to build it.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "ops/games/cc/kernels/games_cpu.h"
#include "ops/games/cc/kernels/go_patterns.h"
#include "ops/games/cc/kernels/go_planes.h"

using namespace lookahead::games;  // NOLINT: a program of one file

namespace {

typedef std::mt19937 Generator;

int Below(Generator* random, int limit) { return static_cast<int>((*random)() % limit); }

Rules RandomRules(Generator* random) {
  Rules rules = {};
  rules.game = Below(random, kNumGames);
  const int sizes[kNumGames] = {3, 6, 6 + 2 * Below(random, 2),
                                kMinGoSize + Below(random, kMaxGoSize - kMinGoSize + 1)};
  const int moves[kNumGames] = {9, 42, 120, 1 + Below(random, 60)};
  rules.size = sizes[rules.game];
  rules.max_moves = moves[rules.game];
  rules.history = 1 + Below(random, kMaxHistory);
  if (rules.game == kGo) {
    rules.suicide = Below(random, 2);
    rules.superko = Below(random, 2);
    rules.komi = static_cast<float>(Below(random, 20) - 10) / 2;
  }
  return rules;
}

// A state's memory and what is said of it.
struct Answer {
  std::unique_ptr<uint8_t[]> state;
  std::unique_ptr<bool[]> legal;
  std::unique_ptr<float[]> planes;
  float reward, discount;

  explicit Answer(const Rules& rules)
      : state(new uint8_t[rules.StateSize()]()),
        legal(new bool[rules.NumActions()]()),
        planes(new float[rules.Cells() * rules.NumPlanes()]()) {}
};

Answer Start(const Rules& rules) {
  Answer answer(rules);
  if (rules.game == kOthello) {
    const int low = (rules.size / 2 - 1) * (rules.size + 1), high = low + rules.size + 1;
    for (int cell : {low + 1, high - 1}) StonesOf(rules, answer.state.get(), 0)[cell] = 1;
    for (int cell : {low, high}) StonesOf(rules, answer.state.get(), 1)[cell] = 1;
  }
  return answer;
}

int RandomLegal(Generator* random, const Rules& rules, const bool* legal) {
  std::vector<int> actions;
  for (int action = 0; action < rules.NumActions(); ++action) {
    if (legal[action]) actions.push_back(action);
  }
  return actions.empty() ? -1 : actions[Below(random, static_cast<int>(actions.size()))];
}

// AlphaGo's view of a state of Go, or of garbage; false where a fault is told and none is
// expected.
bool AsksAlphaGo(Generator* random, const Rules& rules, const uint8_t* state) {
  static const std::vector<float> odds = [] {
    std::vector<float> numbers(kNumGoFeatures);
    std::mt19937 own;
    for (float& number : numbers) number = static_cast<float>(own() % 1000) / 100;
    return numbers;
  }();
  if (rules.game != kGo) return true;
  std::unique_ptr<float[]> planes(new float[rules.Cells() * kNumGoPlanes]);
  std::unique_ptr<int32_t[]> features(new int32_t[rules.NumActions() * kFeaturesAMove]);
  const bool nakade = Below(random, 2);
  float outcome;
  return GoPlanes(rules, state, Below(random, 60), planes.get()) == kNoFault &&
         GoFeatures(rules, state, nakade, features.get()) == kNoFault &&
         GoRollout(rules, state, odds.data(), nakade, (*random)(), 0, &outcome) == kNoFault;
}

// Stones on legal points, now of one, now of the other player: what patterns keep is what
// they would be if they were made anew.
bool KeepsPatterns(Generator* random) {
  Rules rules = RandomRules(random);
  rules.game = kGo;
  rules.size = kMinGoSize + Below(random, 5);
  rules.max_moves = 300;
  const Answer start = Start(rules);
  const Go position(rules, start.state.get());
  GoPatterns patterns(position, start.state.get() + 4, start.state.get() + 4);
  for (int move = 0; move < 150; ++move) {
    const int point = patterns.board().PointOf(Below(random, rules.Cells()));
    const auto colour = move % 2 == 0 ? GoBoard::kFirst : GoBoard::kSecond;
    if (patterns.board().ColourAt(point) != GoBoard::kEmpty) continue;
    if (!patterns.board().TryAt(point, colour).stands) continue;
    patterns.Play(point, colour);
    if (!patterns.IsConsistent()) return false;
  }
  return true;
}

// A whole game, one step of it in place, the next not: every legal action is taken, no other
// is, and it ends in time.
bool PlaysByItsRules(Generator* random) {
  const Rules rules = RandomRules(random);
  if (FaultOfRules(rules) != nullptr) return false;
  Answer now = Start(rules), next(rules);
  if (Legal(rules, now.state.get(), now.legal.get()) != kNoFault) return false;
  for (int moves = 0; moves < rules.max_moves; ++moves) {
    const int any = Below(random, rules.NumActions() + 2) - 1;
    const bool is_legal = any >= 0 && any < rules.NumActions() && now.legal[any];
    const Fault fault = Step(rules, now.state.get(), any, next.state.get(), &next.reward,
                             &next.discount, next.legal.get());
    if (fault != (is_legal ? kNoFault : kIllegalAction)) return false;
    const int action = RandomLegal(random, rules, now.legal.get());
    if (action < 0) return false;
    uint8_t* to = moves % 2 == 0 ? now.state.get() : next.state.get();
    if (Step(rules, now.state.get(), action, to, &next.reward, &next.discount, next.legal.get()) !=
        kNoFault) {
      return false;
    }
    if (moves % 2 == 0) std::memcpy(next.state.get(), to, rules.StateSize());
    if (Observe(rules, next.state.get(), next.planes.get()) != kNoFault) return false;
    float outcome;
    if (Below(random, 8) == 0 &&
        Rollout(rules, next.state.get(), (*random)(), 0, &outcome) != kNoFault) {
      return false;
    }
    if (Below(random, 8) == 0 && !AsksAlphaGo(random, rules, next.state.get())) return false;
    std::swap(now, next);
    if (now.discount == 0) return RandomLegal(random, rules, now.legal.get()) < 0;
  }
  return false;
}

// Any bytes; or stones anywhere under any header; or in a game that goes on.
void Garbage(Generator* random) {
  const Rules rules = RandomRules(random);
  Answer answer(rules), next(rules);
  const int kind = Below(random, 3);
  for (int i = 0; i < rules.StateSize(); ++i) answer.state[i] = (*random)();
  for (int cell = 0; kind > 0 && cell < rules.Cells(); ++cell) {
    const int owner = Below(random, 2 + Below(random, 2));
    for (int player = 0; player < 2; ++player) {
      if (owner != player) StonesOf(rules, answer.state.get(), player)[cell] = 0;
    }
  }
  if (kind == 2) WriteHeader({Below(random, rules.max_moves), 0, 0}, answer.state.get());
  const int action = Below(random, rules.NumActions() + 2) - 1;
  Step(rules, answer.state.get(), action, next.state.get(), &next.reward, &next.discount,
       next.legal.get());
  Legal(rules, answer.state.get(), answer.legal.get());
  Observe(rules, answer.state.get(), answer.planes.get());
  float outcome;
  Rollout(rules, answer.state.get(), (*random)(), 0, &outcome);
  AsksAlphaGo(random, rules, answer.state.get());
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
  const int64_t rounds = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 100;
  Generator random(seed);
  for (int64_t i = 0; i < rounds; ++i) {
    if (!PlaysByItsRules(&random) || (i % 8 == 0 && !KeepsPatterns(&random))) {
      std::printf("seed %u, round %ld: a game did not go by its rules\n", seed, long{i});
      return 1;
    }
    for (int garbage = 0; garbage < 20; ++garbage) Garbage(&random);
  }
  std::printf("seed %u: %ld rounds\n", seed, long{rounds});
  return 0;
}
