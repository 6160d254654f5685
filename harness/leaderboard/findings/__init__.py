"""The questions that this project was begun for, answered from what is recorded; what is missing is not answered."""
