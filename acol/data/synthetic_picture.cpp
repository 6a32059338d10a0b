// How one picture of the synthetic set is drawn. Lengths are fractions of the picture's side; y points down.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "acol/data/synthetic.h"
#include "tensor/check.h"
#include "tensor/random.h"

namespace acol {

namespace {

constexpr float pi = std::numbers::pi_v<float>;

// How often the body's pattern, and how often its tint, is the class's own and not a random one.
constexpr float body_evidence = 0.75f;

struct Color {
  float r = 0, g = 0, b = 0;  // 0..255; clamped at the end
};
Color operator*(Color color, float factor) { return {color.r * factor, color.g * factor, color.b * factor}; }
Color operator+(Color a, Color b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }

struct Point {
  float x = 0, y = 0;
};
Point turned(Point p, float angle) {
  const float c = std::cos(angle), s = std::sin(angle);
  return {c * p.x - s * p.y, s * p.x + c * p.y};
}
float radius(Point p) { return std::hypot(p.x, p.y); }
float angle(Point p) { return std::atan2(p.y, p.x); }

// ---- Emblems: a figure of one colour on a disc of another. `inside` asks of a point of the unit disc.

bool heart(Point p) {
  const float u = 1.55f * p.x, v = 0.15f - 1.55f * p.y, body = u * u + v * v - 1;
  return body * body * body < u * u * v * v * v;
}

bool star(Point p) {
  int beyond = 0;  // a tip lies beyond one of the five lines, the space between two tips beyond two
  for (int i = 0; i < 5; ++i) {
    const float normal = 2 * pi * static_cast<float>(i) / 5 + pi / 2;
    beyond += p.x * std::cos(normal) + p.y * std::sin(normal) > 0.27f;
  }
  return beyond <= 1;
}

struct Emblem {
  const char* name;
  Color figure, disc;
  bool (*inside)(Point);
};

// Sorted by name, so that labels equal the order of the folders.
constexpr std::array<Emblem, max_synthetic_classes> emblems{{
    {"bullseye",
     {225, 40, 40},
     {245, 240, 225},
     [](Point p) { return radius(p) < 0.28f || std::abs(radius(p) - 0.66f) < 0.14f; }},
    {"checker",
     {250, 215, 60},
     {45, 45, 55},
     [](Point p) {
       return std::max(std::abs(p.x), std::abs(p.y)) < 0.72f &&
              (static_cast<int>(std::floor(p.x / 0.36f) + std::floor(p.y / 0.36f)) & 1) == 0;
     }},
    {"cross",
     {250, 250, 245},
     {30, 105, 205},
     [](Point p) {
       return std::min(std::abs(p.x), std::abs(p.y)) < 0.24f && std::max(std::abs(p.x), std::abs(p.y)) < 0.78f;
     }},
    {"diamond", {60, 220, 215}, {120, 35, 120}, [](Point p) { return std::abs(p.x) + 0.8f * std::abs(p.y) < 0.68f; }},
    {"flower",
     {245, 120, 190},
     {35, 110, 55},
     [](Point p) { return radius(p) > 0.17f && radius(p) < 0.55f + 0.27f * std::cos(5 * angle(p)); }},
    {"heart", {235, 60, 110}, {190, 235, 160}, heart},
    {"hourglass",
     {35, 60, 150},
     {255, 165, 45},
     [](Point p) { return std::abs(p.x) < std::abs(p.y) && std::abs(p.y) < 0.7f; }},
    {"moon",
     {255, 235, 130},
     {60, 40, 130},
     [](Point p) {
       return radius(p) < 0.76f && radius({p.x - 0.38f, p.y + 0.1f}) > 0.6f;
     }},
    {"pinwheel",
     {130, 60, 200},
     {170, 240, 235},
     [](Point p) { return radius(p) < 0.82f && std::sin(3 * angle(p) + 3 * radius(p)) > 0; }},
    {"ring", {110, 230, 70}, {110, 50, 25}, [](Point p) { return std::abs(radius(p) - 0.58f) < 0.2f; }},
    {"star", {255, 225, 50}, {200, 30, 45}, star},
    {"triangle",
     {20, 90, 60},
     {250, 175, 200},
     [](Point p) { return p.y < 0.45f && 1.75f * std::abs(p.x) - p.y < 0.72f; }},
}};

Color emblem_color(int label, Point p) {
  const Emblem& emblem = emblems[static_cast<std::size_t>(label)];
  if (radius(p) > 0.88f) return {25, 25, 30};  // rim
  return emblem.inside(p) ? emblem.figure : emblem.disc;
}

// ---- Bodies: |u/a|^power + |v/b|^power <= 1, from an ellipse to a rounded bar, with a lump.

constexpr int patterns = 4;  // stripes along, stripes across, dots, plain blotches
constexpr std::array<Color, 3> tints{{{20, 2, -22}, {-20, 0, 22}, {-4, 16, -14}}};  // warm, cool, green

struct Body {
  Point center;
  float a = 0, b = 0, power = 2, rotation = 0;
  float lump = 0, lump_phase = 0;
  Color color;
  int pattern = -1;  // none
  float period = 0.06f, phase = 0, contrast = 0;

  // In the body's own axes, u along.
  Point local(Point p) const { return turned({p.x - center.x, p.y - center.y}, -rotation); }

  // 0 at the centre, 1 on the outline.
  float depth(Point uv) const {
    const float grown = 1 + lump * std::cos(3 * angle(uv) + lump_phase);
    return (std::pow(std::abs(uv.x) / (a * grown), power) + std::pow(std::abs(uv.y) / (b * grown), power));
  }

  float pattern_at(Point uv) const {  // -1..1
    const float k = 2 * pi / period;
    switch (pattern) {
      case 0:
        return std::sin(k * uv.y + phase) > 0 ? 1.0f : -1.0f;
      case 1:
        return std::sin(k * uv.x + phase) > 0 ? 1.0f : -1.0f;
      case 2:
        return std::sin(k * uv.x + phase) * std::sin(k * uv.y) > 0.35f ? 1.0f : -0.4f;
      case 3:
        return std::sin(0.4f * k * uv.x + phase) + std::cos(0.4f * k * (uv.y + 0.4f * uv.x) - phase) > 0 ? 0.6f : -0.6f;
      default:
        return 0;
    }
  }

  Color color_at(Point p, float how_deep) const {
    const Point uv = local(p);
    // Lit from the top left, dark along the outline.
    const float light = 1 - 0.55f * ((p.x - center.x) + (p.y - center.y)) - (how_deep > 0.85f ? 0.3f : 0.0f);
    return (color + Color{1, 1, 1} * (contrast * pattern_at(uv))) * light;
  }
};

class Picture {
 public:
  explicit Picture(int size) : size_(size), pixels_(static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}

  // Calls paint(point, color, index) for each pixel; the point is its centre.
  template <class Paint>
  void each(Paint paint) {
    std::size_t at = 0;
    for (int y = 0; y < size_; ++y)
      for (int x = 0; x < size_; ++x, ++at)
        paint(Point{(static_cast<float>(x) + 0.5f) / static_cast<float>(size_),
                    (static_cast<float>(y) + 0.5f) / static_cast<float>(size_)},
              pixels_[at], at);
  }

  Image bytes() const {
    Image image{size_, size_, {}};
    image.rgb.reserve(pixels_.size() * 3);
    for (const Color& color : pixels_)
      for (const float value : {color.r, color.g, color.b})
        image.rgb.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f) + 0.5f));
    return image;
  }

 private:
  int size_;
  std::vector<Color> pixels_;
};

Color muted(RandomStream& random) {
  const float grey = random.uniform(60, 190);
  return {grey + random.uniform(-35, 35), grey + random.uniform(-30, 30), grey + random.uniform(-35, 35)};
}

// A body of about this share of the picture, anywhere where it fits. `room` is left free at each side.
Body draw_body(RandomStream& random, float share, float room) {
  Body body;
  body.power = random.uniform(2, 3.5f);
  const float longer = random.uniform(1.25f, 2.1f);
  body.b = std::sqrt(share / (3.3f * longer));  // an ellipse has pi a b, a rounded bar a little less than 4 a b
  body.a = body.b * longer;
  body.rotation = random.uniform(-pi, pi);
  body.lump = random.uniform(0, 0.13f);
  body.lump_phase = random.uniform(-pi, pi);
  const float c = std::cos(body.rotation), s = std::sin(body.rotation);
  const float half_x = std::min(0.5f, std::hypot(body.a * c, body.b * s) + room);
  const float half_y = std::min(0.5f, std::hypot(body.a * s, body.b * c) + room);
  body.center = {random.uniform(half_x, 1 - half_x), random.uniform(half_y, 1 - half_y)};
  const float grey = random.uniform(95, 175);
  body.color = {grey, grey, grey};
  return body;
}

void paint_body(Picture& picture, const Body& body) {
  picture.each([&](Point p, Color& color, std::size_t) {
    const float depth = body.depth(body.local(p));
    if (depth <= 1) color = body.color_at(p, depth);
  });
}

void paint_clutter(Picture& picture, RandomStream& random) {
  const Color base = muted(random), slope_x = muted(random) * 0.4f, slope_y = muted(random) * 0.4f;
  picture.each(
      [&](Point p, Color& color, std::size_t) { color = base + slope_x * (p.x - 0.5f) + slope_y * (p.y - 0.5f); });

  // Slabs and lines at any angle, half transparent.
  const int slabs = 8 + random.below(7);
  for (int i = 0; i < slabs; ++i) {
    const Point center{random.uniform(), random.uniform()};
    const float turn = random.uniform(-pi, pi);
    const bool line = random.below(3) == 0;
    const float length = line ? random.uniform(0.2f, 0.6f) : random.uniform(0.05f, 0.25f);
    const float width = line ? random.uniform(0.006f, 0.015f) : random.uniform(0.04f, 0.18f);
    const float cover = random.uniform(0.4f, 0.85f);
    const Color paint = muted(random);
    picture.each([&](Point p, Color& color, std::size_t) {
      const Point uv = turned({p.x - center.x, p.y - center.y}, -turn);
      if (std::abs(uv.x) < length && std::abs(uv.y) < width) color = color * (1 - cover) + paint * cover;
    });
  }

  // Bodies without a pattern and without an emblem: that something is grey and shaded must not give it away.
  const int others = random.below(3);
  for (int i = 0; i < others; ++i) {
    Body other = draw_body(random, random.uniform(0.03f, 0.09f), -0.03f);
    other.color = other.color + muted(random) * 0.3f + Color{-30, -30, -30};
    paint_body(picture, other);
  }
}

// Crumbs in the colours of emblems, of any class: colour alone must not give a class away. They lie on everything but
// the object.
void paint_crumbs(Picture& picture, RandomStream& random, int classes) {
  const int crumbs = 5 + random.below(8);
  for (int i = 0; i < crumbs; ++i) {
    const Emblem& emblem = emblems[static_cast<std::size_t>(random.below(classes))];
    const Color paint = random.below(2) == 0 ? emblem.figure : emblem.disc;
    const Point center{random.uniform(), random.uniform()};
    const float size = random.uniform(0.01f, 0.024f);
    const bool round = random.below(2) == 0;
    picture.each([&](Point p, Color& color, std::size_t) {
      const float x = std::abs(p.x - center.x), y = std::abs(p.y - center.y);
      if ((round ? std::hypot(x, y) : std::max(x, y)) < size) color = paint;
    });
  }
}

// The body of a class, with its emblem at one end, partly over the edge.
struct Object {
  Body body;
  Point emblem;  // centre
  float emblem_radius = 0, emblem_rotation = 0;

  bool on_emblem(Point p) const { return radius({p.x - emblem.x, p.y - emblem.y}) <= emblem_radius; }
  Point emblem_point(Point p) const {
    const Point q = turned({p.x - emblem.x, p.y - emblem.y}, -emblem_rotation);
    return {q.x / emblem_radius, q.y / emblem_radius};
  }
};

Object draw_object(RandomStream& random, int classes, int label) {
  Object object;
  Body& body = object.body;
  body = draw_body(random, random.uniform(0.17f, 0.4f), 0.03f);
  const auto class_or_any = [&] {
    const int any = random.below(classes);
    return random.uniform() < body_evidence ? label : any;
  };
  body.pattern = class_or_any() % patterns;
  const Color tint = tints[static_cast<std::size_t>(class_or_any()) % tints.size()];
  body.color = body.color + tint * random.uniform(0.7f, 1.3f);
  body.period = random.uniform(0.075f, 0.1f);
  body.phase = random.uniform(-pi, pi);
  body.contrast = random.uniform(16, 26);

  const float end = random.below(2) == 0 ? body.a : -body.a;
  const Point offset =
      turned({end * random.uniform(0.75f, 0.95f), body.b * random.uniform(-0.45f, 0.45f)}, body.rotation);
  object.emblem = {body.center.x + offset.x, body.center.y + offset.y};
  object.emblem_radius = random.uniform(0.085f, 0.11f);
  object.emblem_rotation = random.uniform(-0.4f, 0.4f);
  return object;
}

}  // namespace

std::string synthetic_class_name(int label) {
  check(label >= 0 && label < max_synthetic_classes, "synthetic: label ", label, " is not in 0..",
        max_synthetic_classes - 1);
  return emblems[static_cast<std::size_t>(label)].name;
}

SyntheticImage draw_synthetic(const SyntheticOptions& options, int split, int label, int index) {
  validate(options);
  check((split == 0 || split == 1) && label >= 0 && label < options.classes && index >= 0 && index < 100000,
        "synthetic: no picture with split ", split, ", label ", label, ", index ", index, " in a set of ",
        options.classes, " classes");
  RandomStream random(options.seed, Purpose::synthetic, static_cast<std::uint32_t>(split),
                      static_cast<std::uint32_t>(label * 100000 + index));
  const int size = options.size;
  Picture picture(size);
  paint_clutter(picture, random);
  paint_crumbs(picture, random, options.classes);

  // An object that touches the border or is too small or large is drawn again; about every second one stays.
  SyntheticImage drawn;
  drawn.label = label;
  Object object;
  for (bool fits = false; !fits;) {
    object = draw_object(random, options.classes, label);
    drawn.mask.assign(static_cast<std::size_t>(size) * static_cast<std::size_t>(size), 0);
    drawn.box = {size, size, -1, -1};
    int covered = 0;
    picture.each([&](Point p, Color&, std::size_t at) {
      if (object.body.depth(object.body.local(p)) > 1 && !object.on_emblem(p)) return;
      drawn.mask[at] = 255;
      ++covered;
      const int x = static_cast<int>(at) % size, y = static_cast<int>(at) / size;
      drawn.box = {std::min(drawn.box.x0, x), std::min(drawn.box.y0, y), std::max(drawn.box.x1, x),
                   std::max(drawn.box.y1, y)};
    });
    const float share = static_cast<float>(covered) / static_cast<float>(size * size);
    fits = drawn.box.x0 >= 1 && drawn.box.y0 >= 1 && drawn.box.x1 <= size - 2 && drawn.box.y1 <= size - 2 &&
           share >= 0.15f && share <= 0.45f;
  }

  picture.each([&](Point p, Color& color, std::size_t) {
    const float depth = object.body.depth(object.body.local(p));
    if (depth <= 1) color = object.body.color_at(p, depth);
    if (object.on_emblem(p)) color = emblem_color(label, object.emblem_point(p));
  });
  picture.each([&](Point, Color& color, std::size_t) {
    const float grey = 5 * random.normal();
    color = color + Color{grey + random.uniform(-4, 4), grey + random.uniform(-4, 4), grey + random.uniform(-4, 4)};
  });
  drawn.image = picture.bytes();
  return drawn;
}

}  // namespace acol
