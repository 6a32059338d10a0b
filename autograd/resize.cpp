// Resize of maps, x: (N, H, W, C) -> y: (N, height, width, C). Linear in x, and each axis on its own:
//   y[n,p,q,c] = sum_{h,v} A[p,h] B[q,v] x[n,h,v,c]      A, B: the interpolation weights, at most 2 (bilinear) or 4
//                                                        (bicubic) of a row not 0; definitions in tensor/kernels.h
//   dx[n,h,v,c] = sum_{p,q} A[p,h] B[q,v] dy[n,p,q,c]    the same weights, transposed
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

Variable resize(const Variable& x, int height, int width, Interpolation interpolation) {
  check_layout("resize", "x", x, 4, "(N, H, W, C)");
  check(height >= 1 && width >= 1, "resize: height and width must be at least 1, got ", height, " and ", width);
  ResizeGeometry g;
  g.batch = x.shape()[0];
  g.in_h = x.shape()[1];
  g.in_w = x.shape()[2];
  g.channels = x.shape()[3];
  g.out_h = height;
  g.out_w = width;
  g.interpolation = interpolation;
  Tensor y = Tensor::empty({g.batch, height, width, g.channels}, x.dtype());
  with_activation(x.dtype(), [&]<class T>() { kernels<T>().resize_forward(g, x.value().data<T>(), y.data<T>()); });
  return Variable::record("resize", y, {x}, [g](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() { kernels<T>().resize_backward(g, dy.data<T>(), dx.data<T>(0)); });
  });
}

}  // namespace acol
