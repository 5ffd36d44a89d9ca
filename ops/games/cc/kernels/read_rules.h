// Rules from an op's attributes.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_READ_RULES_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_READ_RULES_H_

#include <algorithm>
#include <iterator>
#include <string>

#include "ops/games/cc/kernels/rules.h"
#include "tensorflow/core/platform/errors.h"
#include "tensorflow/core/platform/status.h"

namespace lookahead {
namespace games {

// `Context`: that of a kernel's construction or of a shape function.
template <typename Context>
tensorflow::Status ReadRules(Context* ctx, Rules* rules) {
  static const char* const kNames[kNumGames] = {"tic_tac_toe", "connect_four", "othello", "go"};
  std::string game;
  bool suicide, superko;
  TF_RETURN_IF_ERROR(ctx->GetAttr("game", &game));
  TF_RETURN_IF_ERROR(ctx->GetAttr("size", &rules->size));
  TF_RETURN_IF_ERROR(ctx->GetAttr("history", &rules->history));
  TF_RETURN_IF_ERROR(ctx->GetAttr("max_moves", &rules->max_moves));
  TF_RETURN_IF_ERROR(ctx->GetAttr("komi", &rules->komi));
  TF_RETURN_IF_ERROR(ctx->GetAttr("suicide", &suicide));
  TF_RETURN_IF_ERROR(ctx->GetAttr("superko", &superko));
  const auto* name = std::find(std::begin(kNames), std::end(kNames), game);
  rules->game = static_cast<int32_t>(name - std::begin(kNames));
  rules->suicide = suicide;
  rules->superko = superko;
  const char* fault = FaultOfRules(*rules);
  if (fault == nullptr) return tensorflow::OkStatus();
  return tensorflow::errors::InvalidArgument(fault);
}

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_READ_RULES_H_
