// The plainest loops for each kernel of tensor/kernels.h, templated on the scalar: in double the oracle that the fast
// tables are tested against and the gradients are checked on, in float a lecture. Each file opens with its formulas.
// Letters: N batch, H W input, P Q output, C channels in, O channels out, R S filter; the gradient of x is dx.
#pragma once

#include "tensor/reference/batch_norm.h"
#include "tensor/reference/conv2d.h"
#include "tensor/reference/dropout.h"
#include "tensor/reference/elementwise.h"
#include "tensor/reference/erase.h"
#include "tensor/reference/pool2d.h"
#include "tensor/reference/resize.h"
#include "tensor/reference/sgd.h"
#include "tensor/reference/softmax.h"
