raise RuntimeError("performance_utils_pytest.py is a generated stub in task sources.")
