// Variable: a tensor that remembers how it was computed, so that gradients can flow back (a tape, as a graph of nodes).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace acol {

class Variable;

// A value's place on the tape: what made it, and its gradient. It does not hold the value, so an activation that no
// backward function captured is freed as soon as the forward pass lets go of it.
struct TapeNode;

// From an operation to one of its inputs. No node: nobody wants that gradient.
struct TapeEdge {
  std::shared_ptr<TapeNode> node;
  Shape shape;  // of the input
  DType dtype = DType::float32;
};

// Where an operation's backward function puts its gradients: one entry an input, in the order given to record().
class InputGradients {
 public:
  explicit InputGradients(std::vector<TapeEdge>& inputs, bool dy_is_masked = false)
      : inputs_(inputs), dy_is_masked_(dy_is_masked) {}
  // True if someone wants the gradient of input `index`.
  bool wanted(int index) const { return inputs_.at(static_cast<std::size_t>(index)).node != nullptr; }
  // The tensor to ADD the gradient of input `index` to: zeros at first, of that input's shape. Only where wanted().
  // Two inputs that are the same variable have the same tensor.
  Tensor& operator[](int index);
  // Its numbers, or null where nobody wants them: kernels take both.
  template <class T>
  T* data(int index) {
    return wanted(index) ? (*this)[index].data<T>() : nullptr;
  }

  // An operation that ends in a ReLU (Variable::mark_relu) lets no gradient through where its result is not above 0. A
  // consumer may leave those out already, which may cost it less, and then says so: what it added to input `index` is 0
  // there. dy_is_masked(): all consumers of one's own result said so.
  bool is_behind_relu(int index) const;
  void masked(int index);
  bool dy_is_masked() const { return dy_is_masked_; }

 private:
  std::vector<TapeEdge>& inputs_;
  bool dy_is_masked_;
};

// Given the gradient of the output, adds the gradients of the inputs.
using BackwardFunction = std::function<void(const Tensor& dy, InputGradients& dx)>;

// Called in backward() with a leaf whose gradient is complete: every operation that used the leaf has run and let go of
// it. From there on its value may change and its gradient may be cleared, while backward() goes on elsewhere.
using GradientHook = std::function<void(Variable& leaf)>;

// A value that a backward function needs. Usually the tensor itself, kept since the forward pass. Where it is large but
// cheap to make again, its maker gives a recipe instead: nothing is kept, the first backward function that asks makes
// it, and all copies of this Saved share it until the last of them is done. The bits are the same, since a recipe runs
// the same kernel on the same numbers. An operation takes Variable::saved() of its inputs and does not mind which it
// is.
class Saved {
 public:
  Saved() = default;  // nothing: value() is undefined
  explicit Saved(Tensor value) : source_(new Source{std::move(value), nullptr}) {}
  // What the recipe uses must stay as it is until backward has passed. Parameters do (see GradientHook).
  explicit Saved(std::function<Tensor()> recipe) : source_(new Source{Tensor(), std::move(recipe)}) {}
  // For backward functions.
  const Tensor& value() const;

 private:
  struct Source {
    Tensor value;
    std::function<Tensor()> recipe;
  };
  std::shared_ptr<Source> source_;
};

class Variable {
 public:
  Variable() = default;  // defined() is false: "no bias"
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return data_ != nullptr; }
  const Tensor& value() const;
  Tensor& value();
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }

  bool requires_grad() const { return data_ && data_->node; }
  // The gradient after backward(); undefined before. Only leaves keep it: inner nodes free theirs as soon as it is
  // used.
  const Tensor& grad() const;
  // The gradient, made of zeros if there is none yet. Error if this variable does not require one.
  Tensor& grad_or_zeros();
  void clear_grad();

  // Runs every recorded operation that led here once, last first. Leaf gradients add up over calls until clear_grad().
  // The first form is for one number (a loss). The graph is freed on the way: a second call is an Error. `ready`, if
  // given, is called with each leaf that got a gradient, once and as early as possible.
  void backward();
  void backward(const Tensor& dy, const GradientHook& ready = nullptr);

  // The value, for a backward function that will need it.
  Saved saved() const;
  // Makes that `saved` instead of the value itself.
  void save_as(Saved saved);
  // Says that this result is that of a ReLU: its operation lets no gradient through where it is not above 0.
  void mark_relu();

  // The same numbers, cut off from the graph.
  Variable detached() const;

  // The result of an operation. Keeps `backward` only if gradients are on (see NoGrad) and some input wants one.
  static Variable record(std::string operation, Tensor value, std::vector<Variable> inputs, BackwardFunction backward);

 private:
  friend struct TapeNode;
  struct Data {
    Tensor value;
    std::shared_ptr<TapeNode> node;  // null: no gradient
    std::optional<Saved> saved;      // unless it is the value
  };
  std::shared_ptr<Data> data_;  // shared by copies: a change of a parameter is seen through all of them
};

// While one of these lives in a thread, operations there record nothing: inference needs no memory for backward.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

bool grad_enabled();

}  // namespace acol
