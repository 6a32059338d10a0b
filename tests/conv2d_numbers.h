// What the passes of a convolution are tested on.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tensor/geometry.h"
#include "tests/compare.h"

namespace acol::testing {

inline std::string describe(const Conv2dGeometry& g) {
  return message("x ", g.x_shape().str(), " w ", g.w_shape().str(), " stride ", g.stride_h, ",", g.stride_w, " pad ",
                 g.pad_h, ",", g.pad_w, " dilation ", g.dilation_h, ",", g.dilation_w);
}

// x, w, bias, dy and what the gradients hold before. A convolution may round w, a factor, as it does x and dy.
struct Numbers {
  Floats x, w, bias, dy, relu_y, dx, dw, db;

  Numbers(const Conv2dGeometry& g, RandomStream random)
      : x(uniform(random, g.x_shape().count())),
        w(uniform(random, g.w_shape().count())),
        bias(uniform_parameters(random, g.out_c)),
        dy(uniform(random, g.y_shape().count())),
        relu_y(uniform(random, g.y_shape().count())),
        dx(uniform(random, g.x_shape().count())),
        dw(uniform_parameters(random, g.w_shape().count())),
        db(uniform_parameters(random, g.out_c)) {}

  // The factors of products as `round` leaves them.
  template <class Round>
  Numbers with_factors(const Round& round) const {
    Numbers rounded = *this;
    for (Floats* factors : {&rounded.x, &rounded.w, &rounded.dy})
      for (float& value : *factors) value = round(value);
    return rounded;
  }

  // The same sums with every term made positive: the magnitudes of the tolerances. A number below the smallest normal
  // one errs as much as that.
  Numbers magnitudes() const {
    Numbers positive = *this;
    for (Floats* values : {&positive.x, &positive.w, &positive.bias, &positive.dy, &positive.relu_y, &positive.dx,
                           &positive.dw, &positive.db})
      for (float& value : *values) value = std::max(std::abs(value), std::numeric_limits<float>::min());
    return positive;
  }
};

}  // namespace acol::testing
