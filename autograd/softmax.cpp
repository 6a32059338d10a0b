// Softmax with cross-entropy, the classification loss. logits z: (N, K), labels: N.
//   p[n,k] = exp(z[n,k]) / sum_j exp(z[n,j])     loss = 1/N sum_n -log p[n, label[n]]: (1)
// Gradient:
//   dz[n,k] = dloss / N (p[n,k] - [k = label[n]]): (N, K)
// Fused, because log(softmax) taken apart overflows where the whole does not, and because the gradient is this simple.
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

Variable softmax_cross_entropy(const Variable& logits, const std::vector<int>& labels) {
  check_layout("softmax_cross_entropy", "logits", logits, 2, "(N, K)");
  const int rows = logits.shape()[0], classes = logits.shape()[1];
  check_labels("softmax_cross_entropy", labels, rows, classes);
  Tensor probability = Tensor::empty(logits.shape(), logits.dtype());
  Tensor loss = Tensor::empty({1}, logits.dtype());
  with_scalar(logits.dtype(), [&]<class T>() {
    std::vector<T> losses(labels.size());
    kernels<T>().softmax_cross_entropy_forward(rows, classes, logits.value().data<T>(), labels.data(),
                                               probability.data<T>(), losses.data());
    double sum = 0;
    for (const T one : losses) sum += one;
    loss.set(0, sum / rows);
  });
  return Variable::record("softmax_cross_entropy", loss, {logits}, [=](const Tensor& dy, InputGradients& dx) {
    with_scalar(dy.dtype(), [&]<class T>() {
      const std::vector<T> dlosses(labels.size(), static_cast<T>(dy.at(0) / rows));
      kernels<T>().softmax_cross_entropy_backward(rows, classes, probability.data<T>(), labels.data(), dlosses.data(),
                                                  dx.data<T>(0));
    });
  });
}

}  // namespace acol
