// Variable: a tensor that remembers how it was computed, so that gradients can flow back (a tape, as a graph of nodes).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace acol {

class Variable;

// Where an operation's backward function puts its gradients: one entry an input, in the order given to record().
class InputGradients {
 public:
  explicit InputGradients(std::vector<Variable>& inputs) : inputs_(inputs) {}
  // True if someone wants the gradient of input `index`.
  bool wanted(int index) const;
  // The tensor to ADD the gradient of input `index` to: zeros at first, of that input's shape. Only where wanted().
  Tensor& operator[](int index);

 private:
  std::vector<Variable>& inputs_;
};

// Given the gradient of the output, adds the gradients of the inputs.
using BackwardFunction = std::function<void(const Tensor& dy, InputGradients& dx)>;

class Variable {
 public:
  Variable() = default;  // defined() is false: "no bias"
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return node_ != nullptr; }
  const Tensor& value() const;
  Tensor& value();
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }

  bool requires_grad() const { return node_ && node_->requires_grad; }
  // The gradient after backward(); undefined before. Only leaves keep it: inner nodes free theirs as soon as it is used.
  const Tensor& grad() const;
  // The gradient, made of zeros if there is none yet.
  Tensor& grad_or_zeros();
  void clear_grad();

  // Runs every recorded operation that led here once, last first. Leaf gradients add up over calls until clear_grad().
  // The first form is for one number (a loss). The graph is freed on the way: a second call is an Error.
  void backward();
  void backward(const Tensor& dy);

  // The same numbers, cut off from the graph.
  Variable detached() const;

  // The result of an operation. Keeps `backward` only if gradients are on (see NoGrad) and some input wants one.
  static Variable record(std::string operation, Tensor value, std::vector<Variable> inputs, BackwardFunction backward);

 private:
  struct Node {
    Tensor value, grad;
    bool requires_grad = false;
    bool spent = false;  // backward has run through it and freed its inputs
    std::string operation;
    std::vector<Variable> inputs;
    BackwardFunction backward;
  };
  std::shared_ptr<Node> node_;
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
