#include "recipe_folder.h"

#include "command.h"
#include "tensor/check.h"

#ifndef ACOL_RECIPES
#define ACOL_RECIPES "recipes"
#endif

namespace acol {

namespace fs = std::filesystem;

fs::path recipe_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = program.parent_path().parent_path() / "share/acol/recipes", source = ACOL_RECIPES;
  if (fs::is_directory(beside, error)) return beside;
  check(fs::is_directory(source, error), "no recipes: there is neither ", beside.string(), " nor ", source.string(),
        "; give the file of one");
  return source;
}

Recipe find_recipe(const std::string& name_or_path, const fs::path& given) {
  std::error_code error;
  if (fs::is_regular_file(name_or_path, error)) return read_recipe(name_or_path);
  const bool path = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".json");
  check(!path, name_or_path, ": no such recipe");
  const fs::path folder = given.empty() ? recipe_folder() : given, file = folder / (name_or_path + ".json");
  check(fs::is_regular_file(file, error), "no recipe '", name_or_path, "' in ", folder.string(),
        "; acol reproduce --list shows those there are");
  return read_recipe(file);
}

void check_weights_given(const Recipe& recipe, const fs::path& weights) {
  if (recipe.needs_weights && weights.empty())
    throw UsageError("recipe " + recipe.name + " starts from " + recipe.weights_file + ": give it by --weights");
}

}  // namespace acol
