// The ops' signatures. S: bytes of a state; A: actions; H, W, P: rows, columns and
// planes of what is seen. kernels/rules.h says how large they are.

#include <string>

#include "ops/games/cc/kernels/go_patterns.h"
#include "ops/games/cc/kernels/go_planes.h"
#include "ops/games/cc/kernels/read_rules.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lookahead {
namespace games {
namespace {

using ::tensorflow::OkStatus;
using ::tensorflow::Status;
using ::tensorflow::shape_inference::DimensionHandle;
using ::tensorflow::shape_inference::InferenceContext;
using ::tensorflow::shape_inference::ShapeHandle;

// The rules, and B of the states.
Status ReadShapes(InferenceContext* c, Rules* rules, DimensionHandle* batch) {
  TF_RETURN_IF_ERROR(ReadRules(c, rules));
  ShapeHandle state;
  DimensionHandle bytes;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &state));
  TF_RETURN_IF_ERROR(c->WithValue(c->Dim(state, 1), rules->StateSize(), &bytes));
  *batch = c->Dim(state, 0);
  return OkStatus();
}

Status StepShapes(InferenceContext* c) {
  Rules rules;
  DimensionHandle batch;
  ShapeHandle action;
  TF_RETURN_IF_ERROR(ReadShapes(c, &rules, &batch));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &action));
  TF_RETURN_IF_ERROR(c->Merge(batch, c->Dim(action, 0), &batch));
  c->set_output(0, c->MakeShape({batch, c->MakeDim(rules.StateSize())}));
  c->set_output(1, c->Vector(batch));
  c->set_output(2, c->Vector(batch));
  c->set_output(3, c->MakeShape({batch, c->MakeDim(rules.NumActions())}));
  return OkStatus();
}

Status LegalShapes(InferenceContext* c) {
  Rules rules;
  DimensionHandle batch;
  TF_RETURN_IF_ERROR(ReadShapes(c, &rules, &batch));
  c->set_output(0, c->MakeShape({batch, c->MakeDim(rules.NumActions())}));
  return OkStatus();
}

Status ObserveShapes(InferenceContext* c) {
  Rules rules;
  DimensionHandle batch;
  TF_RETURN_IF_ERROR(ReadShapes(c, &rules, &batch));
  c->set_output(0, c->MakeShape({batch, c->MakeDim(rules.size), c->MakeDim(rules.Width()),
                                 c->MakeDim(rules.NumPlanes())}));
  return OkStatus();
}

Status GoPlanesShapes(InferenceContext* c) {
  Rules rules;
  DimensionHandle batch;
  TF_RETURN_IF_ERROR(ReadShapes(c, &rules, &batch));
  c->set_output(0, c->MakeShape({batch, c->MakeDim(rules.size), c->MakeDim(rules.size),
                                 c->MakeDim(kNumGoPlanes)}));
  return OkStatus();
}

Status GoFeaturesShapes(InferenceContext* c) {
  Rules rules;
  DimensionHandle batch;
  TF_RETURN_IF_ERROR(ReadShapes(c, &rules, &batch));
  c->set_output(0,
                c->MakeShape({batch, c->MakeDim(rules.NumActions()), c->MakeDim(kFeaturesAMove)}));
  return OkStatus();
}

Status GoRolloutShapes(InferenceContext* c) {
  Rules rules;
  DimensionHandle batch;
  ShapeHandle odds;
  TF_RETURN_IF_ERROR(ReadShapes(c, &rules, &batch));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &odds));
  c->set_output(0, c->Vector(batch));
  return OkStatus();
}

}  // namespace

#define LOOKAHEAD_RULES_ATTRS                                    \
  Attr("game: {'tic_tac_toe', 'connect_four', 'othello', 'go'}") \
      .Attr("size: int")                                         \
      .Attr("history: int")                                      \
      .Attr("max_moves: int")                                    \
      .Attr("komi: float = 0.0")                                 \
      .Attr("suicide: bool = false")                             \
      .Attr("superko: bool = false")

REGISTER_OP("LookaheadGamesStep")
    .Input("state: uint8")
    .Input("action: int32")
    .LOOKAHEAD_RULES_ATTRS.Output("next_state: uint8")
    .Output("reward: float")
    .Output("discount: float")
    .Output("legal: bool")
    .SetShapeFn(StepShapes);

REGISTER_OP("LookaheadGamesLegal")
    .Input("state: uint8")
    .LOOKAHEAD_RULES_ATTRS.Output("legal: bool")
    .SetShapeFn(LegalShapes);

REGISTER_OP("LookaheadGamesObserve")
    .Input("state: uint8")
    .LOOKAHEAD_RULES_ATTRS.Output("planes: float")
    .SetShapeFn(ObserveShapes);

REGISTER_OP("LookaheadGamesGoPlanes")
    .Input("state: uint8")
    .LOOKAHEAD_RULES_ATTRS.Attr("ladder_moves: int = 0")
    .Output("planes: float")
    .SetShapeFn(GoPlanesShapes);

REGISTER_OP("LookaheadGamesGoFeatures")
    .Input("state: uint8")
    .LOOKAHEAD_RULES_ATTRS.Attr("nakade: bool = false")
    .Output("features: int32")
    .SetShapeFn(GoFeaturesShapes);

// odds: [F], or [0] for uniform rollouts; seed: [2], or one a row, [B, 2].
REGISTER_OP("LookaheadGamesGoRollout")
    .Input("state: uint8")
    .Input("odds: float")
    .Input("seed: int32")
    .LOOKAHEAD_RULES_ATTRS.Attr("nakade: bool = false")
    .Output("outcome: float")
    .SetShapeFn(GoRolloutShapes);

}  // namespace games
}  // namespace lookahead
