// The ops' signatures. B beliefs, J candidates, K elites, H steps, I iterations,
// A action, S stochastic, D deterministic; D is 0 without a GRU.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::OkStatus;
using ::tensorflow::Status;
using ::tensorflow::shape_inference::DimensionHandle;
using ::tensorflow::shape_inference::InferenceContext;
using ::tensorflow::shape_inference::ShapeHandle;

// mean and stddev as they came in, returns [B, K].
Status FitShapes(InferenceContext* c, const char* mean) {
  int64_t num_elites;
  TF_RETURN_IF_ERROR(c->GetAttr("num_elites", &num_elites));
  std::vector<ShapeHandle> plan;
  TF_RETURN_IF_ERROR(c->input(mean, &plan));
  TF_RETURN_IF_ERROR(c->WithRank(plan[0], 3, &plan[0]));
  c->set_output(0, plan[0]);
  c->set_output(1, plan[0]);
  c->set_output(2, c->Matrix(c->Dim(plan[0], 0), c->MakeDim(num_elites)));
  return OkStatus();
}

Status PlanShapes(InferenceContext* c) { return FitShapes(c, "initial_mean"); }

Status RefitShapes(InferenceContext* c) { return FitShapes(c, "mean"); }

Status SampleShapes(InferenceContext* c) {
  int64_t num_candidates;
  TF_RETURN_IF_ERROR(c->GetAttr("num_candidates", &num_candidates));
  ShapeHandle mean;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &mean));
  const DimensionHandle batch = c->Dim(mean, 0);
  c->set_output(
      0, c->MakeShape({batch, c->MakeDim(num_candidates), c->Dim(mean, 1), c->Dim(mean, 2)}));
  return OkStatus();
}

// One matrix of a size that the layers' widths and the processor decide.
Status PackedShape(InferenceContext* c) {
  ShapeHandle weights;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &weights));
  c->set_output(0, c->Matrix(c->Dim(weights, 0), c->UnknownDim()));
  return OkStatus();
}

Status EnsembleShape(InferenceContext* c) {
  std::vector<int64_t> sizes;
  TF_RETURN_IF_ERROR(c->GetAttr("sizes", &sizes));
  ShapeHandle inputs;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &inputs));
  c->set_output(0, c->MakeShape({c->Dim(inputs, 0), c->Dim(inputs, 1), c->MakeDim(sizes.back())}));
  return OkStatus();
}

}  // namespace

#define LOOKAHEAD_REFIT_ATTRS                                       \
  Attr("num_elites: int >= 1")                                      \
      .Attr("stddev_estimator: {'std', 'mean_absolute_deviation'}") \
      .Attr("momentum: float")                                      \
      .Attr("min_stddev: float")

// An attribute of any op that draws or rolls out; for tests.
#define LOOKAHEAD_INSTRUCTION_SET \
  Attr("instruction_set: {'auto', 'avx512', 'avx2', 'baseline'} = 'auto'")

// A whole plan. `noise` is empty or one [I, B, J, H, A], `latent_noise` empty or
// one [I, H, B, J, S]; what is empty is drawn from `seed`. Weights are [in, out].
// `precision` is that of the products' factors; sums are float32. On a GPU,
// bfloat16 means tensor cores with tf32, which is finer. `instruction_set` is for CPUs.
REGISTER_OP("LookaheadCemPlanLatent")
    .Input("deterministic: float")
    .Input("stochastic: float")
    .Input("initial_mean: float")
    .Input("initial_stddev: float")
    .Input("action_min: float")
    .Input("action_max: float")
    .Input("seed: int32")
    .Input("noise: num_noise * float")
    .Input("latent_noise: num_latent_noise * float")
    .Input("action_weights: float")
    .Input("input_weights: num_input * float")
    .Input("input_biases: num_input * float")
    .Input("gru_weights: num_gru * float")
    .Input("gru_biases: num_gru * float")
    .Input("prior_weights: num_prior * float")
    .Input("prior_biases: num_prior * float")
    .Input("reward_weights: num_reward * float")
    .Input("reward_biases: num_reward * float")
    .Attr("num_noise: int >= 0")
    .Attr("num_latent_noise: int >= 0")
    .Attr("num_input: int >= 1")
    .Attr("num_gru: int >= 0")
    .Attr("num_prior: int >= 1")
    .Attr("num_reward: int >= 1")
    .Attr("activation: {'relu', 'elu', 'swish'}")
    .Attr("latents: {'sample', 'mean'}")
    .Attr("model_min_stddev: float")
    .Attr("precision: {'float32', 'bfloat16'} = 'float32'")
    .Attr("num_iterations: int >= 1")
    .Attr("num_candidates: int >= 1")
    .LOOKAHEAD_REFIT_ATTRS.LOOKAHEAD_INSTRUCTION_SET.Output("mean: float")
    .Output("stddev: float")
    .Output("returns: float")
    .SetShapeFn(PlanShapes);

// Candidates [B, J, H, A] = clip(mean + stddev · noise); `noise` is empty or one
// [B, J, H, A], drawn from `seed` where it is empty.
REGISTER_OP("LookaheadCemSample")
    .Input("mean: float")
    .Input("stddev: float")
    .Input("action_min: float")
    .Input("action_max: float")
    .Input("seed: int32")
    .Input("noise: num_noise * float")
    .Attr("num_noise: int >= 0")
    .Attr("num_candidates: int >= 1")
    .LOOKAHEAD_INSTRUCTION_SET.Output("actions: float")
    .SetShapeFn(SampleShapes);

// The elites of actions [B, J, H, A] by returns [B, J], and the next fit: to all of
// them, or to those better than the last.
REGISTER_OP("LookaheadCemRefit")
    .Input("mean: float")
    .Input("stddev: float")
    .Input("actions: float")
    .Input("returns: float")
    .Attr("ties: {'keep', 'drop'} = 'keep'")
    .LOOKAHEAD_REFIT_ATTRS.Output("new_mean: float")
    .Output("new_stddev: float")
    .Output("elite_returns: float")
    .SetShapeFn(RefitShapes);

// Networks of one shape in the order the next op reads them: weights [E, in, out] and
// biases [E, out] of each layer. The result is for this processor alone.
REGISTER_OP("LookaheadCemPackEnsemble")
    .Input("weights: num_layers * float")
    .Input("biases: num_layers * float")
    .Attr("num_layers: int >= 1")
    .Attr("precision: {'float32', 'bfloat16'} = 'float32'")
    .LOOKAHEAD_INSTRUCTION_SET.Output("packed: float")
    .SetShapeFn(PackedShape);

// outputs [E, N, out] of inputs [E, N, in]: each network on its own rows, layers
// sizes[0] → sizes[1] → … with activations between them.
REGISTER_OP("LookaheadCemEnsemble")
    .Input("inputs: float")
    .Input("packed: float")
    .Attr("sizes: list(int) >= 2")
    .Attr("activation: {'relu', 'elu', 'swish'}")
    .Attr("precision: {'float32', 'bfloat16'} = 'float32'")
    .LOOKAHEAD_INSTRUCTION_SET.Output("outputs: float")
    .SetShapeFn(EnsembleShape);

}  // namespace cem
}  // namespace lookahead
