"""Which requests want a short final answer, and which want prose."""

import time

import pytest

from localsmc.text.request import wants_answer

STORY = (
    "Tom writes 3 letters each day. He lists the stamps he used, and describes them to Ada. Code names are"
    " fun. How many letters does he write in a week?"
)

PROBLEMS = [
    "What is 17 * 23?",
    "What's 17 times 23?",
    "what is 17*23",
    "17 * 23",
    "17 * 23 = ?",
    "2+2=",
    "3x + 5 = 20",
    "-4 - 9",
    "Solve 3x + 5 = 20.",
    "Solve for x: 7x + 12 = 96.",
    "Please solve this equation: x^2 = 9",
    "Can you calculate the area of a circle with radius 3?",
    "Compute $\\frac{1}{2} + \\frac{1}{3}$.",
    "Find the remainder when 2^10 is divided by 7.",
    "If $f(x) = 2x$ and $g(x) = x^2$, what is $f(g(3))$?",
    "Let $x$ be a number such that $2x = 8$. Determine $x^2$.",
    "How many primes are there below 100?",
    "How much is 15 % of 80?",
    "how many legs do five spiders have",
    "How long does a train take for 120 km at 60 km/h?",
    "How old is Ada if she was born in 1990 and it is 2024?",
    STORY,
    "Joan found 70 seashells on the beach . she gave Sam some of her seashells . She has 27 seashell . How"
    " many seashells did she give to Sam ?",
    "Each pack of dvds costs 76 dollars. If there is a discount of 25 dollars on each pack. How much do you"
    " have to pay to buy each pack?",
    "There are 46 apples. If she ate two, how many are left? Explain your reasoning.",
    "What is 12 + 30? Show your work.",
    "What is 12 + 30? Explain.",
    "Plan A costs $3 a minute. Plan B costs $20 a month. For how many minutes do they cost the same?",
    "List price is 20 dollars, and the discount is 15 %. What is the price?",
    "Write 3/4 as a decimal.",
    "Write the fraction 6/8 in lowest terms.",
    "Write down the number of edges of a cube.",
    "Convert 45 degrees to radians.",
    "Express 0.125 as a fraction.",
    "Simplify (x^2 - 1)/(x - 1).",
    "Is 91 a prime number?",
    "15% of 80",
    "square root of 144",
    "Work out 75 * 3 - 134.",
    "Continue the sequence 1, 4, 9, 16.",
    "If the ages add up to 162, calculate Allen's age 10 years from now.",
    "A ball weighs 6 pounds, another 3.12 pounds. If both are on the scale, what will the scale read?",
    "Bill rides from floor 3 to floor 16. What floor is Bill on now?",
    "Let $a,$ $b$ and $c$ be positive. Find the set of all values of\n\\[\\frac{c}{a} + \\frac{b}{c}.\\]",
    "Determine the number of ways to arrange the letters of ELLIPSE.",
    "312 is divided by 18. What is left over?",
    "Who wrote Hamlet?",
    "What is the capital of Australia?",
    "Which planet is the largest?",
    "In which year did the Berlin Wall fall?",
    "When did the Second World War end?",
    "What is the probability of two heads in three tosses of a coin?",
    "What is the difference between 91 and 17?",
    "True or false: 7 divides 91.",
    "Which of these is a prime?\n\nA) 4\nB) 6\nC) 7\nD) 9",
    "Which of these is a prime?\n\nA) 4\n\nB) 6\n\nC) 7\n\nAnswer with the letter of one option.",
    "The sky looks blue because of\n(A) Rayleigh scattering\n(B) the sea\n(C) ozone",
    "1, 2, 3\n\nThe sum of these is what number? Give only the number: 1 + 2 + 3 = ?",
    "Ada has 3 apples.\nBob has 4.\n\nHow many do they have together?",
    "What is 2 + 2?\n\nThanks a lot in advance",
    "Wie viele Äpfel hat Tom, wenn er 3 von 7 isst?",
    "¿Cuánto es 17 por 23?",
    "小明有5个苹果，吃了2个，还剩几个？",
    "Hello! How many days are in a leap year?",
    "What would 3 pens cost at 12 coins each?",
    "A train covers 300 km in 4 hours. What is its average speed in km/h?",
]

PROSE = [
    "",
    "   ",
    "Hello",
    "Hi, who are you?",
    "thanks",
    "Paris",
    "Write a haiku about autumn.",
    "Write me a poem",
    "Please write a short story of 200 words about a fox.",
    "Could you please help me to write a letter to my landlord about the 3 broken windows?",
    "I need you to draft an email to Bob. The meeting is on 12 May at 10.",
    "I have a meeting tomorrow at 9. Write an email to my boss. He is called Bob.",
    "Compose an essay on how many people live in cities.",
    "Write a story that answers this: how many stars are there?",
    "Translate to French: How many apples do you have?",
    "Translate the following sentence into German: What is the capital of France?",
    "Summarize this",
    "Summarise the text below in 3 sentences.\n\nHow many people came? 300 people came, and 17 left.",
    "There were 12 ships. How many sank? Nobody knows, but 3 came home.\n\nSummarize this",
    "Tom has 3 apples and eats 2. How many are left?\n\nTranslate this into Spanish.",
    "Rewrite this problem for children: Tom has 3 apples. How many are left if he eats 2?",
    "Explain how a transistor works.",
    "Explain why 0.999... = 1",
    "Describe the water cycle.",
    "Why is the sky blue?",
    "How do I boil an egg?",
    "How does a rainbow form?",
    "how to tie a tie",
    "How can I learn 10 words a day?",
    "What do you think about socialism?",
    "What happened in 1989?",
    "What are the causes of the First World War?",
    "What is the difference between TCP and UDP?",
    "What is the best way to learn Python?",
    "What is the meaning of life?",
    "What's up?",
    "Tell me a joke",
    "Tell me about Paris",
    "Give me 5 ideas for a birthday party.",
    "Give me a recipe for 4 people",
    "List the planets of the solar system.",
    "List 10 fruits",
    "Name three rivers in Europe.",
    "Suggest some names for my cat",
    "Recommend a book.",
    "Code a function in Python that returns the n-th prime.",
    "Write a Python function that counts how many primes are below n.",
    "Implement quicksort in C.",
    "Fix the bugs in this code:\n\nfor i in range(10): print(i",
    "Create a table of the 5 largest cities.",
    "Generate a random password of 12 characters",
    "Act as a pirate. How are you?",
    "Pretend you are a doctor.",
    "Compare cats and dogs.",
    "Plan a trip to Rome for 3 days.",
    "Continue the story: Once upon a time there were 3 bears.",
    "Proofread my text, please: i has 2 apple",
    "Paraphrase: The quick brown fox jumps over the lazy dog.",
    "Outline a talk on batteries.",
    "Discuss the pros and cons of nuclear power.",
    "In your own words, describe Rome.",
    "Let's write a song about rain",
    "I feel sad today.",
    "The weather is nice.",
    "Once upon a time",
]


@pytest.mark.parametrize("request_text", PROBLEMS)
def test_a_problem_wants_an_answer(request_text):
    assert wants_answer(request_text)


@pytest.mark.parametrize("request_text", PROSE)
def test_prose_does_not(request_text):
    assert not wants_answer(request_text)


@pytest.mark.parametrize(
    "unit",
    ["can you please ", "please ", "what is the ", "a ", "1 ", "1+", "$x", "\n", "A) x\n", "how ", ". ", "?",
     "\\frac", "write the ", "is 1 ", "(", "\n\nA) x"],
)  # fmt: skip
def test_a_long_request_takes_no_time(unit):
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()
    wants_answer(text)
    assert time.process_time() - began < 0.5
