#include "ops/cem/cc/kernels/op_arguments.h"

#include <cmath>
#include <string>

#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace lookahead {
namespace cem {

using ::tensorflow::OkStatus;
using ::tensorflow::OpInputList;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;

namespace {

// More numbers than this in one draw could not be held anyway.
constexpr int64_t kMostNumbers = int64_t{1} << 40;
constexpr int64_t kMostCandidates = int64_t{1} << 24;

Status CheckShape(const std::string& name, const Tensor& tensor,
                  const std::vector<int64_t>& shape) {
  TensorShape wanted;
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape(shape, &wanted));
  if (tensor.shape() == wanted) return OkStatus();
  return InvalidArgument(name, " has shape ", tensor.shape().DebugString(), ", expected ",
                         wanted.DebugString());
}

// [depth, width] and [width] of a list's entry; the depth must be the given one.
Status ReadLayer(const std::string& part, const OpInputList& weights, const OpInputList& biases,
                 int64_t index, int64_t depth, Layer* layer) {
  const std::string name = part + "_weights[" + std::to_string(index) + "]";
  const Tensor& matrix = weights[index];
  if (matrix.dims() != 2) {
    return InvalidArgument(name, " must be [in, out], got ", matrix.shape().DebugString());
  }
  const int64_t width = matrix.dim_size(1);
  if (width < 1) return InvalidArgument(name, " has no outputs");
  TF_RETURN_IF_ERROR(CheckShape(name, matrix, {depth, width}));
  const std::string bias = part + "_biases[" + std::to_string(index) + "]";
  TF_RETURN_IF_ERROR(CheckShape(bias, biases[index], {width}));
  *layer = {matrix.flat<float>().data(), biases[index].flat<float>().data(), depth, width};
  return OkStatus();
}

// The stack of layers whose first one takes `depth` numbers.
Status ReadLayers(OpKernelContext* ctx, const std::string& part, int64_t depth, Layers* layers) {
  OpInputList weights, biases;
  TF_RETURN_IF_ERROR(ctx->input_list(part + "_weights", &weights));
  TF_RETURN_IF_ERROR(ctx->input_list(part + "_biases", &biases));
  if (weights.size() > kMaxLayers) {
    return InvalidArgument(part, "_weights has ", weights.size(), " layers, expected at most ",
                           kMaxLayers);
  }
  layers->count = weights.size();
  for (int64_t i = 0; i < layers->count; ++i) {
    TF_RETURN_IF_ERROR(ReadLayer(part, weights, biases, i, depth, &layers->layer[i]));
    depth = layers->layer[i].width;
  }
  return OkStatus();
}

Status ReadGru(OpKernelContext* ctx, int64_t input_size, Model* model) {
  OpInputList weights, biases;
  TF_RETURN_IF_ERROR(ctx->input_list("gru_weights", &weights));
  TF_RETURN_IF_ERROR(ctx->input_list("gru_biases", &biases));
  const int64_t d = model->deterministic_size;
  model->has_gru = weights.size() > 0;
  if (weights.size() != 0 && weights.size() != 2) {
    return InvalidArgument("gru_weights has ", weights.size(), " entries, expected 0 or 2");
  }
  if (model->has_gru != (d > 0)) {
    return InvalidArgument("deterministic has ", d, " columns with ", weights.size(),
                           " gru_weights, expected 0 without a GRU and at least 1 with one");
  }
  if (!model->has_gru) return OkStatus();
  TF_RETURN_IF_ERROR(ReadLayer("gru", weights, biases, 0, input_size, &model->gru_input));
  TF_RETURN_IF_ERROR(ReadLayer("gru", weights, biases, 1, d, &model->gru_recurrent));
  TF_RETURN_IF_ERROR(CheckShape("gru_weights[0]", weights[0], {input_size, kGates * d}));
  return CheckShape("gru_weights[1]", weights[1], {d, kGates * d});
}

Status ReadBelief(OpKernelContext* ctx, const Settings& settings, Model* model, Belief* belief) {
  const Tensor *deterministic, *stochastic;
  TF_RETURN_IF_ERROR(ctx->input("deterministic", &deterministic));
  TF_RETURN_IF_ERROR(ctx->input("stochastic", &stochastic));
  for (const Tensor* tensor : {deterministic, stochastic}) {
    if (tensor->dims() != 2 || tensor->dim_size(0) != settings.batch) {
      return InvalidArgument(tensor == deterministic ? "deterministic" : "stochastic",
                             " has shape ", tensor->shape().DebugString(), ", expected [",
                             settings.batch, ", size] as initial_mean has ", settings.batch,
                             " rows");
    }
  }
  model->deterministic_size = deterministic->dim_size(1);
  model->stochastic_size = stochastic->dim_size(1);
  if (model->stochastic_size < 1) return InvalidArgument("stochastic has no columns");
  const int64_t rows = settings.batch * settings.candidates * settings.horizon;
  if (rows > kMostNumbers / model->stochastic_size) {
    return InvalidArgument("stochastic has too many columns for ", rows, " imagined steps");
  }
  *belief = {deterministic->flat<float>().data(), stochastic->flat<float>().data()};
  return OkStatus();
}

// The belief and the model's weights; `model` has its attributes and its action
// size, `settings` its sizes.
Status ReadModel(OpKernelContext* ctx, const Settings& settings, Model* model, Belief* belief) {
  TF_RETURN_IF_ERROR(ReadBelief(ctx, settings, model, belief));
  const int64_t s = model->stochastic_size;
  TF_RETURN_IF_ERROR(ReadLayers(ctx, "input", s, &model->input));
  TF_RETURN_IF_ERROR(ReadInput(ctx, "action_weights",
                               {model->action_size, model->input.layer[0].width},
                               &model->action_weights));
  const int64_t hidden = model->input.layer[model->input.count - 1].width;
  TF_RETURN_IF_ERROR(ReadGru(ctx, hidden, model));
  const int64_t state = model->has_gru ? model->deterministic_size : hidden;
  TF_RETURN_IF_ERROR(ReadLayers(ctx, "prior", state, &model->prior));
  const int64_t outputs = model->prior.layer[model->prior.count - 1].width;
  if (outputs != s && outputs != 2 * s) {
    return InvalidArgument("prior_weights end in ", outputs, " outputs, expected ", s, " or ",
                           2 * s, ", as stochastic has ", s, " columns");
  }
  model->prior_stddev = outputs == 2 * s;
  TF_RETURN_IF_ERROR(ReadLayers(ctx, "reward", model->deterministic_size + s, &model->reward));
  const int64_t rewards = model->reward.layer[model->reward.count - 1].width;
  if (rewards != 1) {
    return InvalidArgument("reward_weights end in ", rewards, " outputs, expected 1");
  }
  return OkStatus();
}

}  // namespace

Status ReadRefit(OpKernelConstruction* ctx, Settings* settings) {
  std::string estimator;
  TF_RETURN_IF_ERROR(ctx->GetAttr("stddev_estimator", &estimator));
  TF_RETURN_IF_ERROR(ctx->GetAttr("num_elites", &settings->elites));
  TF_RETURN_IF_ERROR(ctx->GetAttr("momentum", &settings->momentum));
  TF_RETURN_IF_ERROR(ctx->GetAttr("min_stddev", &settings->min_stddev));
  settings->mean_absolute_deviation = estimator == "mean_absolute_deviation";
  if (!(settings->momentum >= 0.0f && settings->momentum < 1.0f)) {
    return InvalidArgument("momentum is ", settings->momentum, ", expected 0 <= momentum < 1");
  }
  if (!(settings->min_stddev >= 0.0f)) {
    return InvalidArgument("min_stddev is ", settings->min_stddev, ", expected at least 0");
  }
  return OkStatus();
}

Status ReadModelAttributes(OpKernelConstruction* ctx, Model* model) {
  std::string activation, latents;
  TF_RETURN_IF_ERROR(ctx->GetAttr("activation", &activation));
  TF_RETURN_IF_ERROR(ctx->GetAttr("latents", &latents));
  TF_RETURN_IF_ERROR(ctx->GetAttr("model_min_stddev", &model->model_stddev));
  model->activation = activation == "relu" ? kRelu : activation == "elu" ? kElu : kSwish;
  model->sample = latents == "sample";
  return OkStatus();
}

Status ReadInput(OpKernelContext* ctx, const char* name, const std::vector<int64_t>& shape,
                 const float** data) {
  const Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->input(name, &tensor));
  TF_RETURN_IF_ERROR(CheckShape(name, *tensor, shape));
  *data = tensor->flat<float>().data();
  return OkStatus();
}

Status ReadPlanShape(OpKernelContext* ctx, const char* name, Settings* settings,
                     int64_t* action_size) {
  const Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->input(name, &tensor));
  if (tensor->dims() != 3 || tensor->NumElements() == 0) {
    return InvalidArgument(name, " has shape ", tensor->shape().DebugString(),
                           ", expected [B, H, A], each at least 1");
  }
  settings->batch = tensor->dim_size(0);
  settings->horizon = tensor->dim_size(1);
  *action_size = tensor->dim_size(2);
  if (settings->candidates > kMostCandidates) {
    return InvalidArgument("num_candidates is ", settings->candidates, ", expected at most 2^24");
  }
  if (settings->elites > settings->candidates) {
    return InvalidArgument("num_elites is ", settings->elites, ", expected at most ",
                           settings->candidates, ", the number of candidates");
  }
  if (tensor->NumElements() > kMostNumbers / settings->candidates) {
    return InvalidArgument(name, " is too large for num_candidates, which is ",
                           settings->candidates);
  }
  return OkStatus();
}

Status ReadBounds(OpKernelContext* ctx, int64_t action_size, Settings* settings) {
  TF_RETURN_IF_ERROR(ReadInput(ctx, "action_min", {action_size}, &settings->action_min));
  TF_RETURN_IF_ERROR(ReadInput(ctx, "action_max", {action_size}, &settings->action_max));
  for (int64_t a = 0; a < action_size; ++a) {
    if (!(settings->action_min[a] <= settings->action_max[a])) {
      return InvalidArgument("action_min is ", settings->action_min[a], " where action_max is ",
                             settings->action_max[a], "; expected action_min <= action_max");
    }
  }
  return OkStatus();
}

Status ReadSeed(OpKernelContext* ctx, Seed* seed) {
  const Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->input("seed", &tensor));
  TF_RETURN_IF_ERROR(CheckShape("seed", *tensor, {2}));
  *seed = {{tensor->flat<int32_t>()(0), tensor->flat<int32_t>()(1)}};
  return OkStatus();
}

Status ReadNoise(OpKernelContext* ctx, const char* name, const std::vector<int64_t>& shape,
                 const float** noise) {
  OpInputList list;
  TF_RETURN_IF_ERROR(ctx->input_list(name, &list));
  *noise = nullptr;
  if (list.size() == 0) return OkStatus();
  if (list.size() > 1) return InvalidArgument(name, " has ", list.size(), " tensors, expected 1");
  TF_RETURN_IF_ERROR(CheckShape(name, list[0], shape));
  *noise = list[0].flat<float>().data();
  return OkStatus();
}

Status ReadPlan(OpKernelContext* ctx, Settings* settings, Model* model, Belief* belief,
                PlanNoise* noise) {
  TF_RETURN_IF_ERROR(ReadPlanShape(ctx, "initial_mean", settings, &model->action_size));
  TF_RETURN_IF_ERROR(ReadBounds(ctx, model->action_size, settings));
  TF_RETURN_IF_ERROR(ReadModel(ctx, *settings, model, belief));
  TF_RETURN_IF_ERROR(ReadSeed(ctx, &noise->seed));
  const int64_t batch = settings->batch, candidates = settings->candidates;
  const int64_t horizon = settings->horizon, iterations = settings->iterations;
  TF_RETURN_IF_ERROR(ReadNoise(
      ctx, "noise", {iterations, batch, candidates, horizon, model->action_size}, &noise->actions));
  return ReadNoise(ctx, "latent_noise",
                   {iterations, horizon, batch, candidates, model->stochastic_size},
                   &noise->latents);
}

Status ShortageError(const Shortage& shortage, const Settings& settings) {
  if (shortage.belief < 0) return OkStatus();
  return InvalidArgument("returns: fewer finite returns in a row than num_elites, which is ",
                         settings.elites, " (row ", shortage.belief, ", iteration ",
                         shortage.iteration, ")");
}

}  // namespace cem
}  // namespace lookahead
